"""An engine's turns: what it reads and writes, in which order, of jobs that wait when it begins."""

import queue

import pytest

from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import encode_prompts
from rnnzoo.generation.rows import Request
from rnnzoo.generation.samplers import get_sampler, with_penalties
from rnnzoo.serve import engine as engines
from rnnzoo.serve.jobs import Job


@pytest.fixture
def engine(models, monkeypatch):
    """An engine that notes what its rows do: how many join, and each step."""
    monkeypatch.setattr(engines, "READ", 8)
    engine = engines.Engine(
        models["letters"], capacity=8, queue=0, max_new_tokens=4096, alternatives=10,
        report=lambda *_: None,
    )  # fmt: skip
    calls, join, step = [], engine.rows.join, engine.rows.step
    monkeypatch.setattr(engine.rows, "join", lambda *its: calls.append(len(its)) or join(*its))
    monkeypatch.setattr(engine.rows, "step", lambda count: calls.append("step") or step(count))
    engine.calls = calls
    return engine


def jobs_of(model, prompt, seeds):
    (ids,), _ = encode_prompts(model, prompt)
    for seed in seeds:
        parts = queue.Queue()
        text = GrowingText(model.vocabulary, before=ids, prompt=prompt)
        request = Request(ids, with_penalties(get_sampler(None, None)), seed)
        job = Job(request, text, limit=20, seconds=60, send=parts.put)
        job.parts = parts
        yield job


def text_of(job):
    """Waits until a text has ended."""
    text = ""
    while (part := job.parts.get(timeout=60)).reason is None:
        text += part.text
    assert part.reason == "length"
    return text


def test_texts_go_on_while_prompts_are_read(engine, models):
    """A few short prompts are read in one turn, a long one alone, and copies of one once."""
    asked = {"to ": [1], "be": [2], "to be or not to be": [3, 4, 5], "or not to be": [6]}
    jobs = []
    for prompt, seeds in asked.items():
        its = list(jobs_of(models["letters"], prompt, seeds))
        engine.submit(*its)
        jobs += its
    engine.start()
    texts = [text_of(job) for job in jobs]
    engine.stop()
    assert engine.calls[:6] == [1, 1, "step", 3, "step", 1]
    assert texts == [
        models["letters"].generate(prompt, 20, seed=seed)
        for prompt, seeds in asked.items()
        for seed in seeds
    ]


def test_a_text_that_nobody_waits_for_is_not_begun(engine, models, monkeypatch):
    one, *others = jobs_of(models["letters"], "to ", range(8))
    (two,) = jobs_of(models["letters"], "be", [0])
    engine.submit(one, *others)
    with pytest.raises(engines.QueueFull):  # as many as there are places
        engine.submit(two)
    for job in others:
        engine.cancel(job)
    assert engine.load == (0, 1)
    engine.submit(two)  # which goes away while the prompt of `one` is read
    join = engine.rows.join
    monkeypatch.setattr(engine.rows, "join", lambda *its: engine.cancel(two) or join(*its))
    engine.start()
    assert text_of(one) == models["letters"].generate("to ", 20, seed=0)
    engine.stop()
    assert [call for call in engine.calls if call != "step"] == [1]
