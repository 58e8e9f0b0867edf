"""Thousands of calls and epochs in one process: memory stays flat. Many threads on one model."""

import gc
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rnnzoo import Vocabulary
from rnnzoo.models import char_lstm, gru_seq2seq

SPECIAL = ("<pad>", "<start>", "<unk>", "<end>")
VOCABULARY = Vocabulary.from_text("to be or not to be, that is it", special_tokens=SPECIAL)


@pytest.fixture(scope="module")
def model():
    return char_lstm(VOCABULARY, units=8)


@pytest.fixture(scope="module")
def translator():
    return gru_seq2seq(VOCABULARY, VOCABULARY, units=8)


def megabytes():
    """What this process holds in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def calls(model, translator):
    """What a server calls, by name and argument: each gives the same alone and beside others."""
    prompts = [VOCABULARY.decode([4 + i, 5 + i, 4]) for i in range(3)]
    for number, prompt in enumerate(prompts):
        length, heat = 3 + number, 0.5 + 0.1 * number
        yield lambda p=prompt, n=length, t=heat: model.generate(p, n, temperature=t, seed=n)
        yield lambda p=prompt, n=length: "".join(model.stream(p, n, seed=n))
        yield lambda p=prompt, n=length: translator.translate(p, max_new_tokens=n)
        yield lambda p=prompt: model.score(p)["nats"]


def test_eight_threads_get_what_one_gets(model, translator):
    work = list(calls(model, translator))
    alone = [call() for call in work]
    mixed = random.Random(0).sample(range(len(work)), len(work))
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda number: work[number](), mixed))
    assert together == [alone[number] for number in mixed]


@pytest.mark.slow
def test_threads_that_are_the_first_to_call():
    fresh = char_lstm(VOCABULARY, units=4)
    other = char_lstm(VOCABULARY, units=4)
    other.set_weights(fresh.get_weights())
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda seed: fresh.generate("to", 9, seed=seed), range(8)))
    assert together == [other.generate("to", 9, seed=seed) for seed in range(8)]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_ten_thousand_calls_of_generate(model):
    rng, marks = random.Random(0), []
    for number in range(10_500):
        prompts = ["to be"[: rng.randint(1, 5)] for _ in range(rng.randint(1, 4))]
        model.generate(prompts, rng.randint(1, 12), temperature=rng.uniform(0.1, 2.0), seed=number)
        if number % 500 == 499:
            marks.append(megabytes())
    print("MB after each 500 calls:", [round(mark) for mark in marks])
    assert marks[-1] - marks[0] < 50


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_two_hundred_epochs(model):
    tokens = np.random.default_rng(0).integers(4, 12, (32, 17)).astype("int32")
    model.compile()
    marks = []
    for _ in range(20):
        model.fit(tokens[:, :-1], tokens[:, 1:], epochs=10, batch_size=8, verbose=0)
        marks.append(megabytes())
    print("MB after each 10 epochs:", [round(mark) for mark in marks])
    assert marks[-1] - marks[0] < 50
    marks = []
    for _ in range(2):
        model.fit(tokens[:, :-1], tokens[:, 1:], epochs=100, batch_size=8, verbose=0)
        marks.append(megabytes())
    print("MB after each 100 epochs of one fit:", [round(mark) for mark in marks])
    assert marks[-1] - marks[0] < 50
