"""Thousands of model files, each changed at random: one loads, or it is refused in one sentence."""

import gc
import io
import json
import os
import random
import resource
import time
import zipfile
from collections import Counter
from copy import deepcopy

import h5py
import numpy as np
import pytest

from rnnzoo import zoo
from rnnzoo.errors import InputError
from rnnzoo.models import char_lstm, gru_seq2seq, text_classifier
from rnnzoo.vocabulary import Vocabulary

WEIGHTS, CONFIG = "model.weights.h5", "config.json"
VALUES = [
    None, True, 0, -1, 1, 3, 2**31, 10**9, 10**30, 0.5, -1.5, float("nan"), float("inf"), "",
    "lstm", "\ud800", "\0", "x" * 5000, [], [4], [4] * 1000, {},
    {"class_name": "Lambda", "config": {}},
    {"class_name": "Dense", "module": "keras.layers", "config": {"units": 10**6}},
]  # fmt: skip


def flip(data, rng, most=8):
    data = bytearray(data)
    for _ in range(rng.randint(1, most)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def places(value):
    """All containers of a JSON value, with their keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def edit_json(content, rng):
    whole = json.loads(content)
    for _ in range(rng.randint(1, 2)):
        container, key = rng.choice(list(places(whole)))
        if isinstance(container, dict) and rng.random() < 0.2:
            container[rng.choice(["units", "dtype", "x", "config"])] = deepcopy(rng.choice(VALUES))
        elif rng.random() < 0.15:
            del container[key]
        else:
            container[key] = deepcopy(rng.choice(VALUES))
    return json.dumps(whole).encode()


def edit_arrays(content, rng):
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as root:
        names = []
        root.visititems(lambda name, item: names.append(name))
        name = rng.choice(names)
        how = rng.randrange(6)
        if how == 0:
            del root[name]
        elif how == 1:
            root.move(name, rng.choice(["x", "vars/x", name + "x"]))
        elif how == 2:
            root["y"] = rng.choice([h5py.SoftLink("/" + name), h5py.ExternalLink("a", name)])
        elif how == 3:
            root[name].attrs["name"] = rng.choice(["x" * 999, 5, np.zeros(99)])
        elif isinstance(root[name], h5py.Dataset):
            shape, dtype = root[name].shape, rng.choice(["f2", "f8", "i1", "u8", "?", "S3", "c8"])
            del root[name]
            if how == 4:
                root.create_dataset(name, (*shape, rng.choice([0, 1, 2, 10**5])), "f4")
            else:
                root[name] = np.zeros(shape, dtype)
    return file.getvalue()


def mutated(content, rng):
    """Changes a file at one place or a few."""
    how = rng.randrange(7)
    if how == 0:
        return flip(content, rng)
    if how == 1:
        cut = rng.randrange(len(content))
        return rng.choice([content[:cut], content[cut:], content + content[:cut]])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if how == 2:
        parts[WEIGHTS] = flip(parts[WEIGHTS], rng)
    elif how == 3:
        parts[WEIGHTS] = edit_arrays(parts[WEIGHTS], rng)
    elif how == 4:
        parts[rng.choice([*parts, "../x", "state.npz", "a/b"])] = rng.randbytes(rng.randrange(999))
    elif how == 5 and rng.random() < 0.5:
        parts[CONFIG] = flip(parts[CONFIG], rng)
    else:
        parts[CONFIG] = edit_json(parts[CONFIG], rng)
    file = io.BytesIO()
    packing = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, part in parts.items():
            if rng.random() > 0.02:
                archive.writestr(name, part)
    return file.getvalue()


def load_all(folder, count, seed):
    """Loads so many changed files; returns what became of them."""
    text = Vocabulary.from_text("to be or not to be")
    target = Vocabulary.from_text("12", special_tokens=("<pad>", "<start>", "<end>"))
    originals = []
    for model in (
        char_lstm(text, units=2),
        gru_seq2seq(9, target, units=2),
        text_classifier(9, ("a", "b"), units=2, head_units=2),
    ):
        model.save(folder / "original.keras")
        originals.append((folder / "original.keras").read_bytes())
    path, rng, became = folder / "changed.keras", random.Random(seed), Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        path.write_bytes(mutated(originals[number % len(originals)], rng))
        start = time.process_time()
        try:
            zoo.load(path)
            became["loaded"] += 1
        except InputError as error:
            sentence = str(error)
            assert "\n" not in sentence and len(sentence) < 1000, (number, sentence)
            became["refused"] += 1
        took = time.process_time() - start
        assert took < 10, (number, took)
        if number % 100 == 99:
            gc.collect()
    assert sorted(os.listdir(folder)) == ["changed.keras", "original.keras"]
    became["MB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return became


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [3, 4, 5, 6])
def test_a_thousand(seed, tmp_path):
    became = load_all(tmp_path, 250, seed=seed)
    assert became["loaded"] and became["refused"] > 120 and became["MB"] < 1024


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ten_thousand(tmp_path):
    became = load_all(tmp_path, 10_000, seed=2)
    print(became)
    assert became["loaded"] and became["refused"] > 5000
