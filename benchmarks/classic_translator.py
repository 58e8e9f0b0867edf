"""Spanish to English: rnnzoo's recipe against the classic tutorial network, after equal minutes.

    python benchmarks/classic_translator.py                    # an hour for each
    python benchmarks/classic_translator.py --minutes 10
    python benchmarks/classic_translator.py --folder saved_models/gru_seq2seq_spa_eng
    python benchmarks/classic_translator.py --quick            # a try of seconds, no RESULTS.md

The classic network is that of TensorFlow's tutorial "Neural machine translation with attention" (in
its present form), written from its description out of stock Keras layers: text without accents,
digits and apostrophes, lower-cased; the 5,000 most frequent words of each side; embeddings and
GRUs of 256 units, the encoder's two directions summed; the decoder's outputs attend (one head), are
added to what they found and normalised; Adam at 1e-3, batches of 64, no dropout. It gets what the
tutorial does not have: batches of sentences of similar length, the weights of the best validation
rather than the last, and search that never writes the unknown word.

Both train on the same pairs, validate on the same 2.5 % after each epoch, and are measured on the
same other 2.5 % by greedy search. The minutes are those from the start of `fit` to its end, with
validation. With `--folder` the recipe's training is over already, and the classic network gets the
minutes that it took. "Standardised" BLEU is of both sides without accents, digits and apostrophes,
in lower case: what the classic network was made to write.
"""

import argparse
import json
import re
import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path

import _common
import _processes

RECIPE = "gru_seq2seq_spa_eng"
UNITS, WORDS, BATCH = 256, 5000, 64
QUICK = {
    "corpus_options": {"limit": 2000},
    "validation_limit": 100,
    "vocabulary": {"level": "subword", "size": 500},
    "builder_options": {"units": 32, "embedding_dim": 32},
    "warmup_steps": 5,
}
COLUMNS = {
    "bleu": "BLEU, cased",
    "bleu_lowercase": "BLEU, lower-cased",
    "bleu_standardised": "BLEU, standardised",
    "chrf": "chrF2, cased",
}


# --- Measure ------------------------------------------------------------------------------------


def standardised(text):
    """The tutorial's standard form: letters a to z without accents, and a few marks."""
    text = unicodedata.normalize("NFKD", text).lower()
    text = re.sub(r"[^ a-z.?!,¿]", "", text)
    return " ".join(re.sub(r"([.?!,¿])", r" \1 ", text).split())


def measured(translate, pairs):
    """BLEU and chrF of what is translated, and BLEU of the standard form."""
    from rnnzoo.evaluation.translation_quality import translation_quality
    from rnnzoo.tasks.translation import translate_all

    written = translate_all(translate, pairs)
    references = [target for _, target in pairs]
    figures = translation_quality(written, references)
    standard = translation_quality(*([*map(standardised, side)] for side in (written, references)))
    return {**figures, "bleu_standardised": standard["bleu"]}


def recipe_of(seed, quick):
    """The recipe, without an early end."""
    from rnnzoo import recipes

    changes = {"epochs": 1000, "patience": None, "beam_widths": (1,), "seed": seed}
    return replace(recipes.get(RECIPE), **changes, **(QUICK if quick else {}))


def splits(recipe):
    """Pairs of training, validation and test, in the recipe's direction."""
    from rnnzoo.tasks.splits import load_corpus, train_and_validation

    corpus = load_corpus(recipe)
    train, held, _ = train_and_validation(corpus, recipe)
    test = corpus.test[: recipe.validation_limit]
    return [[pair[::-1] for pair in pairs] for pairs in (train, held, test)]


# --- Contestants --------------------------------------------------------------------------------


def classic(recipe, minutes, quick):
    import keras

    from rnnzoo import Vocabulary
    from rnnzoo.data import pair_batches
    from rnnzoo.training.schedule import TrainingClock, measure_validation

    keras.utils.set_random_seed(recipe.seed)
    train, held, test = splits(recipe)
    train, held = ([tuple(map(standardised, pair)) for pair in pairs] for pairs in (train, held))
    sides = zip(*train, strict=True)
    source, target = (Vocabulary.from_text(side, level="word", size=WORDS) for side in sides)

    def batches(pairs, shuffle):
        sources, targets = zip(*(pair for pair in pairs if all(pair)), strict=True)
        return pair_batches(
            source.encode_documents(sources),
            target.encode_documents(targets, start=False, end=False),
            BATCH, start_id=target.start_id, end_id=target.end_id, shuffle=shuffle,
            seed=recipe.seed,
        )  # fmt: skip

    training, validation = batches(train, True), batches(held, False)
    network = classic_network(len(source), len(target), 32 if quick else UNITS)
    network.compile(
        keras.optimizers.Adam(),
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        jit_compile=False,  # shapes differ from batch to batch
    )
    with tempfile.TemporaryDirectory(prefix="rnnzoo_classic_") as folder:
        best = f"{folder}/best.weights.h5"
        clock = TrainingClock(
            recipe.epochs,
            steps_per_epoch=len(training),
            max_minutes=minutes,
            validation_seconds=measure_validation(network, validation),
        )
        keep = keras.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True)
        network.fit(
            training, validation_data=validation, epochs=recipe.epochs, shuffle=False, verbose=2,
            callbacks=[clock, keep],
        )  # fmt: skip
        spent = clock.minutes
        network.load_weights(best)
    return {
        "what": f"classic: {network.encoder.forward_layer.units} units, words, float32",
        "parameters": network.count_params(),
        "epochs": clock.step / len(training),
        "minutes": spent,
        **measured(greedy(network, source, target), test),
    }


def classic_network(source_size, target_size, units):
    """The network of the tutorial, for `{"source", "target"}` of ids that are padded with 0."""
    import keras
    from keras import layers, ops

    class Classic(keras.Model):
        def __init__(self):
            super().__init__()
            gru = {"return_sequences": True, "recurrent_initializer": "glorot_uniform"}
            self.source_embedding = layers.Embedding(source_size, units)
            self.encoder = layers.Bidirectional(layers.GRU(units, **gru), merge_mode="sum")
            self.target_embedding = layers.Embedding(target_size, units)
            self.decoder = layers.GRU(units, return_state=True, **gru)
            self.attention = layers.MultiHeadAttention(num_heads=1, key_dim=units)
            self.normalisation = layers.LayerNormalization()
            self.words = layers.Dense(target_size)

        def read(self, source):
            mask = ops.not_equal(source, 0)  # (B, S)
            return self.encoder(self.source_embedding(source), mask=mask), mask

        def write(self, target, memory, mask, state=None):
            hidden, state = self.decoder(self.target_embedding(target), initial_state=state)
            found = self.attention(hidden, memory, attention_mask=mask[:, None])  # (B, T, units)
            return self.words(self.normalisation(hidden + found)), state

        def call(self, inputs):
            return self.write(inputs["target"], *self.read(inputs["source"]))[0]

    network = Classic()
    ids = ops.ones((2, 3), "int32")
    network({"source": ids, "target": ids})
    return network


def greedy(network, source, target, most=60):
    """A function that translates a list of texts, one likeliest word after the other."""
    import numpy as np
    import tensorflow as tf

    suppressed = np.zeros(len(target), "float32")
    suppressed[[target.pad_id, target.start_id, target.unknown_id]] = -1e9

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
    def search(ids):
        memory, mask = network.read(ids)
        rows = tf.shape(ids)[0]

        def more(step, token, state, ended, words):
            return (step < most) & ~tf.reduce_all(ended)

        def write(step, token, state, ended, words):
            logits, state = network.write(token[:, None], memory, mask, state=state)
            token = tf.argmax(logits[:, 0] + suppressed, axis=-1, output_type=tf.int32)
            token = tf.where(ended, target.end_id, token)
            words, ended = words.write(step, token), ended | (token == target.end_id)
            return step + 1, token, state, ended, words

        start = (
            0,
            tf.fill([rows], target.start_id),
            tf.zeros([rows, network.decoder.units]),
            tf.zeros([rows], tf.bool),
            tf.TensorArray(tf.int32, most, element_shape=[None]),
        )
        *_, words = tf.while_loop(more, write, start)
        return tf.transpose(words.stack())  # (B, most); zeros where all had ended

    def translate(texts):
        ids = source.encode_documents([*map(standardised, texts)])
        padded = np.zeros((len(ids), max(map(len, ids))), "int32")
        for row, one in zip(padded, ids, strict=True):
            row[: len(one)] = one
        return [target.decode(words) for words in search(padded).numpy()]

    return translate


def ours(recipe, minutes, folder):
    """Trains the recipe, unless the folder has a model, and measures it."""
    from rnnzoo import load
    from rnnzoo.publishing.train import train

    if minutes is not None:
        train(recipe, out=folder, max_minutes=minutes)
    record, model = json.loads((Path(folder) / "metrics.json").read_text()), load(folder)
    options, training = record["model"]["arguments"], record["training"]
    return {
        "what": f"`{record['recipe']}`: {options['units']} units, subwords, {training['dtype']}",
        "parameters": model.count_params(),
        "epochs": training["epochs"],
        "minutes": training["minutes"],
        "corpus": f"{record['corpus']['name']} {record['corpus']['sha256'][:8]}...",
        **measured(model.translate, splits(recipe)[2]),
    }


# --- Report -------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", help="a trained recipe, instead of training it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="seconds, RESULTS.md stays")
    args = parser.parse_args()
    minutes = 0.3 if args.quick else args.minutes
    recipe = recipe_of(args.seed, args.quick)
    with tempfile.TemporaryDirectory(prefix="rnnzoo_translator_") as scratch:
        given = (None, args.folder) if args.folder else (minutes, f"{scratch}/model")
        mine = _processes.in_fresh_process(ours, recipe, *given)
    theirs = _processes.in_fresh_process(classic, recipe, mine["minutes"], args.quick)
    rows = [
        [
            one["what"], f"{one['parameters']:,}", f"{one['epochs']:.1f}", f"{one['minutes']:.1f}",
            *(f"{one[name]:.2f}" for name in COLUMNS),
        ]
        for one in (theirs, mine)
    ]  # fmt: skip
    head = ["model", "parameters", "epochs", "minutes", *COLUMNS.values()]
    gap = mine["bleu_standardised"] - theirs["bleu_standardised"]
    text = (
        f"Test half of what is held out of the pairs ({mine['corpus']}), greedy search, seed "
        f"{args.seed}; of rnnzoo the weights before they are rounded to half precision. By "
        f"standardised BLEU rnnzoo is {abs(gap):.2f} {'ahead' if gap > 0 else '**behind**'}; "
        f"counted by sacrebleu: {signature()}.\n\n{_common.table(head, rows)}"
    )
    show = _common.show if args.quick else _common.write_section
    show(f"Spanish to English, {mine['minutes']:.0f} min, against the classic tutorial", text)


def signature():
    from rnnzoo.evaluation.translation_quality import signatures

    return "; ".join(f"{name} `{how}`" for name, how in signatures().items() if name in COLUMNS)


if __name__ == "__main__":
    main()
