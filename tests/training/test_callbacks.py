import numpy as np
import pytest

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq
from rnnzoo.data import pair_batches, stream_batches
from rnnzoo.errors import InputError
from rnnzoo.training.callbacks import SampleText

MARKS = ("<pad>", "<start>", "<end>")


@pytest.fixture(scope="module")
def language_model():
    vocabulary = Vocabulary.from_text("to be or not to be")
    model = char_lstm(vocabulary, units=8, num_layers=1)
    model.compile()
    batches = stream_batches(vocabulary.encode("to be or not to be " * 3), 2, 4)
    return model, batches


def test_samples_go_to_the_terminal_and_to_a_file(language_model, tmp_path, capsys):
    model, batches = language_model
    path = tmp_path / "deep" / "samples.txt"
    sample = SampleText(["to ", "be"], max_new_tokens=5, every_batches=4, every_epochs=2, path=path)
    model.fit(batches, epochs=2, callbacks=[sample], verbose=0, shuffle=False)
    text, printed = path.read_text(), capsys.readouterr().out
    heads = [line for line in text.splitlines() if line.startswith("---")]
    assert len(batches) == 7  # so batches 4, 8 and 12, and the second epoch's end
    assert heads == [
        "--- sample, epoch 1, batch 4 ---",
        "--- sample, epoch 2, batch 1 ---",
        "--- sample, epoch 2, batch 5 ---",
        "--- sample, after epoch 2 ---",
    ]
    assert all(head in printed for head in heads)
    last = text.strip().split("---\n")[-1].split("\n\n")
    written = model.generate(["to ", "be"], 5, temperature=0.8, seed=0)
    assert last == ["to " + written[0], ("be" + written[1]).rstrip()]  # as the whole file


def test_a_sampler_by_name(language_model, tmp_path):
    model, batches = language_model
    path = tmp_path / "samples.txt"
    sample = SampleText("to ", max_new_tokens=5, sampler="greedy", path=path)
    model.fit(batches, callbacks=[sample], verbose=0, shuffle=False)
    assert path.read_text().endswith(f"to {model.generate('to ', 5, sampler='greedy')}\n\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": "to Xy"}, "'X'"),
        ({"prompt": ["to", "to Xy"]}, "Text 2 of the list"),
        ({"prompt": "to", "sampler": "gredy"}, "did you mean 'greedy'"),
        ({"prompt": "to", "temperature": -1}, "`temperature` must be"),
    ],
)
def test_what_cannot_be_sampled_is_told_before_the_first_batch(language_model, arguments, message):
    model, batches = language_model
    before = [np.array(weight) for weight in model.get_weights()]
    with pytest.raises(InputError, match=message):
        model.fit(batches, callbacks=[SampleText(**arguments)], verbose=0, shuffle=False)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_samples_go_to_tensorboard(language_model, tmp_path):
    import tensorflow as tf

    model, batches = language_model
    sample = SampleText("to ", max_new_tokens=5, log_dir=tmp_path / "logs")
    model.fit(batches, callbacks=[sample], verbose=0, shuffle=False)
    (path,) = (tmp_path / "logs").iterdir()
    records = b"".join(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    assert model.generate("to ", 5, temperature=0.8, seed=0).encode() in records


def test_a_translator_shows_translations_and_references(tmp_path):
    source, target = (
        Vocabulary.from_text("one two", special_tokens=MARKS[::2]),
        Vocabulary.from_text("12", special_tokens=MARKS),
    )
    model = gru_seq2seq(source, target, units=4)
    model.compile()
    batches = pair_batches(
        [source.encode("one")] * 4, [target.encode("1")] * 4, 2, start_id=1, end_id=2
    )
    path = tmp_path / "samples.txt"
    sample = SampleText(["one", "two"], max_new_tokens=3, path=path, references=["1", "2"])
    model.fit(batches, callbacks=[sample], verbose=0, shuffle=False)
    lines = path.read_text().splitlines()
    assert lines[1] == "one" and lines[3] == "     (reference: 1)"
    assert lines[2] == f"  -> {model.translate('one', max_new_tokens=3)}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": ""}, "prompt of SampleText is empty"),
        ({"prompt": []}, "prompt of SampleText is empty"),
        ({"prompt": "a", "every_batches": 0}, "every_batches"),
        ({"prompt": "a", "max_new_tokens": -1}, "max_new_tokens"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        SampleText(**arguments)


def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; give another `path`"):
        SampleText("a", path=tmp_path / "file" / "samples.txt")
    with pytest.raises(InputError, match="cannot be written; give another `path`"):
        SampleText("a", path=tmp_path)
    SampleText("a", path=tmp_path / "deep" / "samples.txt")
    assert not (tmp_path / "deep").exists()  # not before the first sample


def test_training_goes_on_as_if_nobody_had_sampled(language_model):
    model, batches = language_model
    start, losses = model.get_weights(), []
    for callbacks in ([], [SampleText("to ", max_new_tokens=5, every_batches=2)]):
        model.set_weights(start)
        model.compile("sgd")
        history = model.fit(batches, epochs=2, callbacks=callbacks, verbose=0, shuffle=False)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
