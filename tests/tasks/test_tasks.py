"""The data legs of a recipe, without any training."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq, load, recipes
from rnnzoo.data import corpora
from rnnzoo.errors import InputError
from rnnzoo.evaluation.translation_quality import translation_quality
from rnnzoo.generation.translate import translate
from rnnzoo.publishing.train import train
from rnnzoo.tasks.language_model import LanguageModelTask
from rnnzoo.tasks.splits import load_corpus
from rnnzoo.tasks.translation import TranslationTask, accuracy, translate_all

CHARACTERS = recipes.get("char_lstm_tiny")
REVIEWS = recipes.get("imdb_lm_tiny")
NUMBERS = replace(
    recipes.get("spelled_numbers_tiny"),
    corpus_options={"min_digits": 1, "max_digits": 2, "samples": 40, "validation_samples": 6},
)


def test_the_training_stream_is_every_review_once_and_no_start_is_a_target(small_data):
    task = LanguageModelTask(REVIEWS, load_corpus(REVIEWS, data_dir=small_data), seed=5)
    rows = {}
    for _, targets, weights in task.train:
        starts = targets.numpy() == task.vocabulary.start_id
        assert not weights.numpy()[starts].any()
        for row, (ids, real) in enumerate(zip(targets.numpy(), weights.numpy() > 0, strict=True)):
            rows.setdefault(row, []).append(ids[real | (ids == task.vocabulary.start_id)])
    stream = np.concatenate([np.concatenate(rows[row]) for row in sorted(rows)])
    ids = np.concatenate(task.documents[0])
    assert len(ids) - REVIEWS.batch_size <= len(stream) < len(ids)
    known = np.bincount(ids, minlength=len(task.vocabulary))
    lost = known - np.bincount(stream, minlength=len(task.vocabulary))
    assert lost.min() >= 0 and lost.sum() == len(ids) - len(stream)
    other = LanguageModelTask(REVIEWS, load_corpus(REVIEWS, data_dir=small_data), seed=6)
    assert task.corpus.sha256 == other.corpus.sha256  # the split does not depend on the seed,
    first, second = (next(iter(one.train))[1].numpy() for one in (task, other))
    assert (first != second).any()  # but the order does


def test_n_grams_need_no_cache_that_can_be_written(small_data, tmp_path, monkeypatch, capsys):
    task = LanguageModelTask(REVIEWS, load_corpus(REVIEWS, data_dir=small_data))
    figures = task.baselines()
    assert len(figures) == 2 and "KERAS_HOME" not in capsys.readouterr().out
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    assert task.baselines() == figures
    assert capsys.readouterr().out.count("KERAS_HOME") == 1


def test_too_few_documents_for_the_batches(small_data):
    recipe = replace(REVIEWS, batch_size=400)
    with pytest.raises(InputError, match=r"'imdb_lm_tiny' needs over 6,400 for its batch_size"):
        LanguageModelTask(recipe, load_corpus(recipe, data_dir=small_data))


def test_rows_of_the_training_stream_start_anew_at_random(tmp_path):
    (tmp_path / "text.txt").write_text("to be, or not to be " * 200)
    recipe = replace(CHARACTERS, reset_probability=0.5)
    task = LanguageModelTask(recipe, corpora.load(tmp_path / "text.txt"))
    resets = [inputs["reset"].numpy() for inputs, *_ in task.train]
    assert resets[0].all() and 0.3 < np.mean(resets[1:]) < 0.7
    assert not np.any([inputs["reset"] for inputs, *_ in task.validation.skip(1)])


def test_the_tokens_of_a_text_are_the_targets_that_are_read(tmp_path):
    (tmp_path / "text.txt").write_text("to be, or not to be " * 200)  # 1,400 words and marks
    recipe = replace(
        CHARACTERS,
        vocabulary={"level": "word"},
        builder="word_lm",
        builder_options={"units": 4, "embedding_dim": 4},
    )
    task = LanguageModelTask(recipe, corpora.load(tmp_path / "text.txt"))
    read = sum(int((weights.numpy() > 0).sum()) for *_, weights in task.validation)
    model = task.build("float32")
    model.compile()
    assert len(task.held_out) == 140
    assert task.evaluate(model)["tokens"] == read == 8 * 17


@pytest.mark.parametrize(("held_out", "batches"), [(2000, 2), (256 + 63, 0), (256 + 64, 1)])
def test_blocks_from_the_zero_state_are_random(held_out, batches, tmp_path, monkeypatch):
    """Against every block alone; 200 batches of 64 are cut down to 2 here."""
    monkeypatch.setattr("rnnzoo.tasks.language_model.BLOCK_BATCHES", 2)
    random = np.random.default_rng(0)
    (tmp_path / "text.txt").write_text("".join(random.choice(list("abc d"), 10 * held_out)))
    task = LanguageModelTask(CHARACTERS, corpora.load(tmp_path / "text.txt"))
    assert len(task.held_out) == held_out
    model = task.build("float32")
    model.compile()
    figures = task.evaluate(model)
    if not batches:
        assert list(figures) == ["nats_per_character", "bits_per_character"]
        assert "too short for 64 blocks of 256 from the zero state" in task.split
        return
    assert f"zero state: {batches} random batches of 64 x 256" in task.split
    starts = np.random.default_rng(1337).integers(0, held_out - 256, batches * 64)
    blocks = np.stack([task.held_out[start : start + 257] for start in starts])
    logits = np.asarray(model(blocks[:, :-1]), "float64")  # (N, 256, V)
    right = np.take_along_axis(logits, blocks[:, 1:, None], -1)[..., 0]
    nats = (np.log(np.exp(logits).sum(-1)) - right).mean()
    assert figures["zero_state_nats_per_character"] == pytest.approx(nats, rel=1e-5)
    assert figures["zero_state_bits_per_character"] == pytest.approx(nats / np.log(2), rel=1e-5)
    again = task.evaluate(model)  # after the stream's state was carried, and twice the same
    assert again == pytest.approx(figures)


def test_prompts_are_those_that_the_vocabulary_has(tmp_path):
    (tmp_path / "text.txt").write_text("xyz zyx " * 400)
    corpus = corpora.load(tmp_path / "text.txt")
    own = LanguageModelTask(replace(CHARACTERS, prompts=()), corpus).prompts()
    assert own[0] == "xyz zyx xyz zyx xyz zyx" and all(text in "xyz zyx " * 9 for text in own)
    assert LanguageModelTask(replace(CHARACTERS, prompts=("z", "q")), corpus).prompts() == ["z"]


@pytest.mark.parametrize("held_out", [[" "], ["", "to be"]])
def test_prompts_are_of_documents_that_are_not_blank(small_data, held_out):
    recipe = replace(recipes.get("imdb_lm_tiny"), prompts=())
    corpus = load_corpus(recipe, data_dir=small_data)
    corpus = replace(corpus, splits={**corpus.splits, "validation": held_out})
    prompts = LanguageModelTask(recipe, corpus).prompts()
    texts = ["to be"] if "to be" in held_out else corpus.documents
    assert prompts and all(any(text.startswith(one) for text in texts) for one in prompts)


def test_pairs_of_the_users_own(tmp_path):
    rows = [json.dumps({"source": f"{n} apples", "target": f"{n} Äpfel"}) for n in range(100)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(rows))
    # Source and target are what the file calls so, whichever side the recipe's corpus has first.
    recipe = replace(recipes.get("multi30k_en_de_tiny"), reverse_pairs=True)
    task = TranslationTask(recipe, load_corpus(recipe, text_file=tmp_path / "pairs.jsonl"))
    assert len(task.held_out) == 10 and "held out by content" in task.split
    source, target = task.vocabularies
    assert "apples" in source.tokens and "äpfel" in target.tokens
    inputs, labels, _ = next(iter(task.train))
    assert (inputs["target"].numpy()[:, 0] == target.start_id).all()
    assert (inputs["source"].numpy()[:, -1] == source.end_id).all()
    assert (labels.numpy()[:, -1] == target.end_id).all()


CAPTIONS = recipes.get("gru_seq2seq_multi30k_en_de_tiny")


def test_one_vocabulary_of_both_sides(small_data):
    task = TranslationTask(CAPTIONS, load_corpus(CAPTIONS, data_dir=small_data))
    source, target = task.vocabularies
    assert source is target and source.level == "subword" and 100 < len(source) <= 120
    for side in zip(*task.corpus.pairs, strict=True):
        assert all(source.decode(source.encode(text)) == text for text in side)
    model = task.build("float32")
    assert model.source_vocabulary == model.target_vocabulary == source


def test_the_other_direction(small_data):
    recipe = replace(CAPTIONS, reverse_pairs=True)
    task = TranslationTask(recipe, load_corpus(recipe, data_dir=small_data))
    assert task.held_out == [(german, english) for english, german in task.corpus.validation]
    inputs, *_ = next(iter(task.validation))
    texts = {task.vocabularies[0].decode(row) for row in inputs["source"].numpy()}
    assert texts <= {source for source, _ in task.held_out}


def test_bleu_of_what_is_translated(small_data):
    task = TranslationTask(CAPTIONS, load_corpus(CAPTIONS, data_dir=small_data))
    assert "bleu_lowercase nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:" in task.split
    model = task.build("float32")
    model.compile()
    figures = task.evaluate(model)
    names = [
        f"{name}_{how}"
        for how in ("beam_2", "greedy")
        for name in ("bleu", "bleu_lowercase", "chrf")
    ]
    assert list(figures) == [*names, "perplexity_teacher_forced", "translated_pairs"]
    assert figures["translated_pairs"] == 20
    sources, references = zip(*task.held_out, strict=True)
    for width, how in ((2, "beam_2"), (1, "greedy")):
        written = translate(model, list(sources), beam_width=width)
        expected = translation_quality(written, references)
        assert figures[f"chrf_{how}"] == pytest.approx(expected["chrf"]) != 0
    assert figures["chrf_beam_2"] != figures["chrf_greedy"]


def test_what_writes_no_capitals_is_counted_in_lower_case(small_data):
    recipe = replace(
        CAPTIONS, vocabulary={**CAPTIONS.vocabulary, "lowercase": True}, beam_widths=(1,)
    )
    task = TranslationTask(recipe, load_corpus(recipe, data_dir=small_data))
    model = task.build("float32")
    model.compile()
    figures = task.evaluate(model)
    names = ["bleu_lowercase_greedy", "chrf_lowercase_greedy"]
    assert list(figures) == [*names, "perplexity_teacher_forced", "translated_pairs"]
    assert "case:mixed" not in task.split and "bleu_lowercase nrefs:1|case:lc" in task.split
    sources, references = zip(*task.held_out, strict=True)
    expected = translation_quality(translate(model, list(sources)), references)
    assert figures["chrf_lowercase_greedy"] == pytest.approx(expected["chrf_lowercase"]) != 0


def test_sacrebleu_that_is_not_installed(small_data, monkeypatch):
    monkeypatch.setattr("rnnzoo.evaluation.translation_quality.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install sacrebleu"):
        TranslationTask(CAPTIONS, load_corpus(CAPTIONS, data_dir=small_data))


def test_accuracy_counts_positions():
    figures = accuracy(["125", "9", "777"], ["124", "97", "77"])
    assert figures["symbols_right_by_position"] == [1.0, 0.6667, 0.0]
    assert figures["symbols_right"] == pytest.approx(5 / 7)
    assert figures["sequences_right"] == 0.0
    assert accuracy(["12"], ["12"])["sequences_right"] == 1.0


def test_accuracy_counts_lengths():
    random = np.random.default_rng(0)
    references = ["".join(random.choice(list("abc"), random.integers(2, 7))) for _ in range(50)]
    written = ["".join(random.choice(list("abc"), random.integers(0, 9))) for _ in range(50)]
    figures = accuracy(written, references)
    expected = {
        str(length): accuracy(*zip(*same, strict=True))["symbols_right"]
        for length in range(2, 7)
        if (
            same := [
                pair for pair in zip(written, references, strict=True) if len(pair[1]) == length
            ]
        )
    }
    assert figures["symbols_right_by_length"] == pytest.approx(expected)
    assert len(expected) == 5 and len(set(expected.values())) > 1
    assert figures["symbols_right_worst_length"] == pytest.approx(min(expected.values()))
    assert json.loads(json.dumps(figures)) == figures
    for lengths in ([3, 3], range(1, 42)):  # one length, too many
        texts = ["x" * length for length in lengths]
        assert not [name for name in accuracy(texts, texts) if "length" in name]


def test_translations_come_back_in_order():
    def upper(texts):
        return [text.upper() for text in texts]

    random = np.random.default_rng(0)
    pairs = [("x" * random.integers(1, 9) + str(n), "") for n in range(613)]
    assert translate_all(upper, pairs) == [source.upper() for source, _ in pairs]


def test_models_that_do_not_fit(tmp_path, small_data):
    path = tmp_path / "model.keras"
    char_lstm(Vocabulary.from_text("to be"), units=4, num_layers=1).save(path)
    with pytest.raises(InputError, match=r"is a LanguageModel, but the recipe .* translation"):
        train(NUMBERS, from_model=path, out=tmp_path / "out")
    with pytest.raises(InputError, match="no start and end of a document"):
        train(REVIEWS, data_dir=small_data, from_model=path, out=tmp_path / "out")
    marks = ("<pad>", "<start>", "<end>")
    source = Vocabulary.from_text("onetwhrefuivsxg ", special_tokens=marks)
    target = Vocabulary.from_text("0123456", special_tokens=marks)
    gru_seq2seq(source, target, units=4).save(path)
    corpus = corpora.load("spelled_numbers", samples=99)
    with pytest.raises(InputError, match=r"has 1 characters .* lacks: 'z'"):  # when it is measured
        TranslationTask(NUMBERS, corpus, model=load(path))
    char_lstm(7, units=4, num_layers=1).save(path)
    with pytest.raises(InputError, match="holds no vocabulary"):
        train(CHARACTERS, data_dir=small_data, from_model=path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fine_tuning_does_not_overwrite_the_model_it_starts_from(trained, small_data):
    start = trained("char_lstm_tiny")
    before = (start / "model.keras").read_bytes()
    for out, from_model in (
        (start, start),
        (start, str(start / "model.keras")),
        (start / ".." / start.name, start / "checkpoint" / "last.keras"),
    ):
        with pytest.raises(InputError, match="would be overwritten; give another --out"):
            train("char_lstm_tiny", data_dir=small_data, out=out, from_model=from_model)
    assert (start / "model.keras").read_bytes() == before


def test_tensorboard_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnzoo.training.fit.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        train(NUMBERS, out=tmp_path / "out", log_dir=tmp_path / "logs")
