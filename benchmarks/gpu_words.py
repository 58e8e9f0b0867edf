"""Trains the recipe `word_lm_imdb_large` for nine minutes on a GPU, from one prepared file of ids.

    python benchmarks/gpu_words.py --prepare reviews.npz --data-dir ../shared/data
    KERAS_BACKEND=jax python benchmarks/gpu_words.py jax.json --file reviews.npz
    KERAS_BACKEND=torch python benchmarks/gpu_words.py torch.json --file reviews.npz
    KERAS_BACKEND=jax python benchmarks/gpu_words.py try.json --file reviews.npz --quick  # on a CPU

The first command is for a machine that has the corpus. It writes the training reviews, the
unlabelled ones too, and those of validation and test as ids, with the vocabulary, in less than
50 MB; `about` in the file says where they are from, and how much of the training reviews had room.
The file is not to be passed on, as the reviews are not.

The others need Keras and the backend, no TensorFlow and no corpus. They train by plain `compile`
and `fit`, the learning rate fitted to the minutes, then measure the perplexity of the reviews that
were held out, each read from an empty state to its end, as `word_lm_imdb` is measured. One JSON
file is written after each of these: how it was trained, `validation`, `test`, `samples`.
"""

import argparse
import hashlib
import io
import json
import math
import os
import platform
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import _common  # noqa: F401 (finds rnnzoo)
import keras
import numpy as np

import rnnzoo
from rnnzoo import hardware, recipes
from rnnzoo.data import StreamDataset, corpora
from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path
from rnnzoo.optimizers import adam
from rnnzoo.training.schedule import LearningRate, TrainingClock

RECIPE = "word_lm_imdb_large"
LIMIT = 50_000_000  # bytes of the prepared file
HELD_OUT = ("validation", "test")
EPOCHS = 10_000  # more than any minutes allow: these end the training
BACKEND = keras.config.backend()


def prepare(path, recipe, *, data_dir=None, seed=0, limit=LIMIT):
    """Writes the ids of a recipe's corpus, and returns what the file says about them.

    The training reviews are in the order in which they are trained. Where they do not fit, the last
    ones are left out.
    """
    corpus = corpora.load(recipe.corpus, data_dir=data_dir, **recipe.corpus_options)
    train = corpus.splits["train"]
    order = np.random.default_rng(seed).permutation(len(train))
    texts = {"train": [train[index] for index in order]}
    texts |= {split: corpus.splits[split] for split in HELD_OUT if split in corpus.splits}
    vocabulary = rnnzoo.Vocabulary.from_text(train, **recipe.vocabulary)
    if len(vocabulary) > 2**16:
        raise InputError(f"A uint16 counts to 65,535, and there are {len(vocabulary):,} tokens.")
    about = {
        "recipe": recipe.name, "corpus": corpus.source, "notes": list(corpus.notes), "seed": seed,
        "commit": hardware.commit(), "date": str(date.today()),
        "reviews": {split: len(each) for split, each in texts.items()},
        "characters": {s: characters(texts[s], vocabulary) for s in HELD_OUT if s in texts},
        "vocabulary": vocabulary.get_config(),
    }  # fmt: skip
    ids = {split: vocabulary.encode_documents(each) for split, each in texts.items()}
    content = fitted(ids, about, limit=limit)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return {**about, "bytes": len(content)}


def characters(texts, vocabulary):
    """What a model reads of texts: words with one space or end after each."""
    return sum(len(word) + 1 for text in texts for word in vocabulary.split(text))


def fitted(ids, about, *, limit):
    """The file, with as many of the training reviews as have room; `about` is told how many."""
    train, used = ids["train"], len(ids["train"])
    while True:
        about["training_reviews_used"] = used
        content = packed({**ids, "train": train[:used]}, about)
        if len(content) < limit:
            return content
        if used <= 1:
            raise InputError(f"{len(content):,} bytes are left with one training review.")
        used = min(used - 1, int(0.98 * used * limit / len(content))) or 1


def packed(ids, about):
    """The bytes of the file."""
    flat = {split: np.concatenate(each).astype("uint16") for split, each in ids.items()}
    content = io.BytesIO()
    np.savez_compressed(content, about=np.frombuffer(json.dumps(about).encode(), "uint8"), **flat)
    return content.getvalue()


def read(path):
    """The vocabulary, the ids by split, and what else the file says, its checksum too."""
    content = Path(path).read_bytes()
    with np.load(io.BytesIO(content)) as file:
        about = json.loads(file["about"].tobytes())
        ids = {split: file[split].astype("int32") for split in about["reviews"]}
    vocabulary = rnnzoo.Vocabulary.from_config(about.pop("vocabulary"))
    about |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return vocabulary, ids, about


class Reviews(StreamDataset):
    """Reviews end to end, as a recipe's training reads them.

    Nobody has to guess that a review starts; and rows forget, now and then, what they have read.
    """

    def __init__(self, ids, recipe, *, start_id, seed=0):
        super().__init__(ids, recipe.batch_size, recipe.sequence_length)
        self.start_id, self.probability = start_id, recipe.reset_probability
        self.random = np.random.default_rng(seed)

    def __getitem__(self, index):
        inputs, targets, weights = super().__getitem__(index)
        forgets = self.random.random(inputs["reset"].shape) < self.probability
        inputs["reset"] = np.maximum(inputs["reset"], forgets.astype("int32"))
        return inputs, targets, weights * (targets != self.start_id)


class Progress(keras.callbacks.Callback):
    """Tells how the training goes, each minute, and counts the time after the first batch.

    The first batch is mostly compiling. What it reads of the learning rate is what the step had:
    `self.model` has the state of the step, on JAX too.
    """

    def __init__(self, seconds=60.0):
        super().__init__()
        self.seconds, self.rows = seconds, []
        self.batches = 0
        self.start = self.first = self.last = self.told = None

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self.start = self.told = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Counts the batch, and tells how it goes when it is time to."""
        self.last = time.perf_counter()
        self.batches += 1
        if self.first is None:
            self.first = self.last
        if self.last - self.told >= self.seconds:
            self.told = self.last
            self.tell(logs)

    def tell(self, logs):
        """Prints and keeps a row."""
        rate = self.model.optimizer.learning_rate
        row = {
            "seconds": round(self.last - self.start, 1), "batches": self.batches,
            "rate": float(keras.ops.convert_to_numpy(rate)),
            **{name: float(value) for name, value in logs.items()},  # means of this epoch so far
        }  # fmt: skip
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def batches_a_second(self):
        """Without the first one; 0 where there was no other."""
        return (self.batches - 1) / max(self.last - self.first, 1e-9)


def build(recipe, vocabulary, dtype):
    """The recipe's model, compiled as `rnnzoo train` does it."""
    model = getattr(rnnzoo, recipe.builder)(vocabulary, dtype=dtype, **recipe.builder_options)
    averages = {"use_ema": True, "ema_momentum": recipe.average_weights}
    optimizer = adam(
        recipe.learning_rate,
        weight_decay=recipe.weight_decay or None,
        global_clipnorm=recipe.clipnorm,
        **(averages if recipe.average_weights else {}),
    )
    model.compile(optimizer)
    return model


def train(model, reviews, recipe, *, minutes):
    """Trains for some minutes and says what was done; the model then has the averaged weights."""
    clock = TrainingClock(EPOCHS, steps_per_epoch=reviews.num_batches, max_minutes=minutes)
    rate = LearningRate(
        clock,
        peak=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
        final_fraction=recipe.final_fraction,
    )
    progress = Progress(seconds=min(60.0, 20 * minutes))
    callbacks = [clock, rate, progress]
    model.fit(reviews, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=callbacks)
    for variable in model.trainable_variables:  # on JAX these are the averages themselves, which
        variable.assign(keras.ops.copy(variable))  # `evaluate` donates
    tokens = reviews.batch_size * reviews.sequence_length
    return {
        "minutes": clock.minutes,
        "batches": progress.batches,
        "epochs": progress.batches / reviews.num_batches,
        "tokens": progress.batches * tokens,
        "tokens_a_second": round(progress.batches_a_second() * tokens),
        "seconds_of_first_batch": progress.first - progress.start,
        "last_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
        "log": progress.rows,
    }


def measure(model, ids, recipe, *, characters=None):
    """The perplexity of reviews that were held out, each from an empty state."""
    start_id = model.vocabulary.start_id
    documents = np.split(ids, np.flatnonzero(ids == start_id)[1:])
    rows = min(recipe.batch_size, len(documents))
    begin = time.perf_counter()
    found = model.evaluate(
        StreamDataset(documents, rows, recipe.sequence_length), verbose=0, return_dict=True
    )
    nats = math.log(found[model.default_metric().name])
    targets = ids[ids != start_id]
    bits = nats * len(targets) / math.log(2)
    return {
        "perplexity": math.exp(nats),
        "nats_per_token": nats,
        "bits_per_character": bits / characters if characters else None,
        "reviews": len(documents),
        "tokens": len(targets),
        "unknown_rate": float(np.mean(targets == model.vocabulary.unknown_id)),
        "seconds": time.perf_counter() - begin,
    }


def machine():
    """What it runs on; `hardware.machine` asks for the GPUs in a way that Keras on torch lacks."""
    return {"cpu": hardware.cpu_info()[0], "cores": os.cpu_count(), "system": platform.platform()}


def card():
    """The name of the GPU, or of what there is instead."""
    if BACKEND == "jax":
        import jax

        return jax.devices()[0].device_kind
    if BACKEND == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return ", ".join(hardware.gpus()) or "none"


def fast_dtype(recipe):
    """The recipe's dtype; on torch float32 (TF32), for Keras has no cuDNN in bfloat16 there."""
    if BACKEND != "torch":
        return hardware.resolve_dtype(recipe.dtype)[0]
    import torch

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    return "float32"


def quick_recipe(recipe):
    """The recipe with tiny sizes, to see whether it runs at all."""
    options = {**recipe.builder_options, "units": 8, "embedding_dim": 8}
    sizes = {"batch_size": 4, "sequence_length": 8, "warmup_steps": 2}
    return replace(recipe, builder_options=options, **sizes)


def changed(recipe, args):
    """The recipe with what the command line says otherwise."""
    recipe = quick_recipe(recipe) if args.quick else recipe
    options = {**recipe.builder_options, **json.loads(args.options)}
    given = {"batch_size": args.rows, "learning_rate": args.rate}
    given = {name: value for name, value in given.items() if value is not None}
    return replace(recipe, builder_options=options, **given)


def train_and_measure(recipe, args):
    """Everything but the preparation; the JSON file grows with what is known."""
    vocabulary, ids, about = read(args.file)
    spans = about["characters"]
    if args.quick:  # the first few reviews, so that it takes seconds
        ids = {split: first_reviews(each, vocabulary.start_id) for split, each in ids.items()}
        spans = {}
    keras.utils.set_random_seed(args.seed)
    dtype = args.dtype or fast_dtype(recipe)
    model = build(recipe, vocabulary, dtype)
    found = {
        "gpu": card(), "machine": machine(), "backend": BACKEND,
        "versions": hardware.versions(), "date": str(date.today()), "commit": args.commit,
        "file": about, "recipe": recipe.as_json(), "dtype": dtype, "seed": args.seed,
        "parameters": model.count_params(),
        "kernels": [f"{one.layer}: {one.training.name}" for one in rnnzoo.kernels(model)],
    }  # fmt: skip

    def note(name, value):
        found[name] = value
        args.out.write_text(json.dumps(found, indent=1))
        print(f"{name}: {json.dumps(value)[:400]}", flush=True)

    reviews = Reviews(ids["train"], recipe, start_id=vocabulary.start_id, seed=args.seed)
    note("training", train(model, reviews, recipe, minutes=args.minutes))
    for split in (split for split in HELD_OUT if split in ids):
        note(split, measure(model, ids[split], recipe, characters=spans.get(split)))
    length = 10 if args.quick else recipe.sample_length
    written = model.generate(list(recipe.prompts), length, temperature=0.8, seed=1)
    note("samples", [f"{a}{b}" for a, b in zip(recipe.prompts, written, strict=True)])


def first_reviews(ids, start_id, count=40):
    """The ids of the first few reviews."""
    starts = np.flatnonzero(ids == start_id)
    return ids[: starts[count]] if len(starts) > count else ids


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", help="the JSON file")
    parser.add_argument("--file", type=Path, help="the prepared file to train from")
    parser.add_argument("--prepare", type=Path, metavar="FILE", help="write that file, no more")
    parser.add_argument("--data-dir", type=Path, help="where the corpus is")
    parser.add_argument("--recipe", default=RECIPE, help="of a word model of documents")
    parser.add_argument("--minutes", type=float, default=9.0, help="of the training")
    parser.add_argument("--rows", type=int, help="of a batch, instead of the recipe's")
    parser.add_argument("--rate", type=float, help="the highest, instead of the recipe's")
    parser.add_argument("--options", default="{}", help='JSON for the builder: {"dropout": 0.2}')
    parser.add_argument("--dtype", help="of the model; by default what is fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--commit", default=hardware.commit(), help="of a copy without git")
    args = parser.parse_args(argv)
    recipe = recipes.get(args.recipe)
    if args.prepare is not None:
        told = prepare(args.prepare, recipe, data_dir=args.data_dir, seed=args.seed)
        del told["vocabulary"]
        print(json.dumps(told, indent=1))
    elif args.out is None or args.file is None:
        parser.error("give the JSON file to write and --file, or --prepare")
    else:
        train_and_measure(changed(recipe, args), args)


if __name__ == "__main__":
    main()
