"""Turns at a model: who computes when, who is refused, and what goes when its client does."""

import asyncio
import threading
import time

import pytest

pytest.importorskip("fastapi")

from rnnzoo.serve import served as its
from rnnzoo.serve.engine import QueueFull
from rnnzoo.serve.refusals import ClientLeft, Refusal


class Client:
    """A request whose client may leave."""

    gone = False

    async def is_disconnected(self):
        return self.gone


def make_served(queue=64):
    models = {"one": object(), "two": object()}
    return its.Served(models, capacity=1, queue=queue, report=lambda *_: None)


async def until(true):
    while not true():
        await asyncio.sleep(0.01)


def asked(served, function, count=1, client=None):
    """Asks for work of the model `one`."""
    return [
        asyncio.create_task(served.computed("one", function, client or Client()))
        for _ in range(count)
    ]


def test_a_model_does_one_thing_at_a_time_and_waits_for_no_other_model():
    served, go_on, at_work, most = make_served(), threading.Event(), [], []

    def work(turn):
        at_work.append(turn)
        most.append(len(at_work))
        assert go_on.wait(60)
        at_work.remove(turn)

    async def run():
        works = asked(served, work, count=50)  # more than there are threads
        await until(lambda: at_work)
        assert await served.computed("two", lambda turn: 2, Client()) == 2
        assert len(most) == 1
        go_on.set()
        await asyncio.gather(*works)

    asyncio.run(run())
    assert most == [1] * 50


def test_a_full_queue_is_one_models_own():
    served, go_on = make_served(queue=2), threading.Event()

    async def run():
        works = asked(served, lambda turn: go_on.wait(60), count=3)  # one at work, and two wait
        await asyncio.sleep(0.05)
        with pytest.raises(QueueFull):
            await served.computed("one", lambda turn: 1, Client())
        assert await served.computed("two", lambda turn: 2, Client()) == 2
        go_on.set()
        await asyncio.gather(*works)
        assert await served.computed("one", lambda turn: 1, Client()) == 1

    asyncio.run(run())


def test_what_waits_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(its, "MAX_SECONDS", 0.1)

    async def run():
        served = make_served()
        slow, late = asked(served, lambda turn: time.sleep(0.3), count=2)
        await slow
        with pytest.raises(Refusal, match=r"^one had no time .* try again") as caught:
            await late
        assert caught.value.status == 503

    asyncio.run(run())


def test_work_whose_client_has_left_is_not_begun_and_what_is_at_work_learns_it():
    served, begun, ended, go_on = make_served(), [], [], threading.Event()

    def endless(turn):
        begun.append(turn)
        assert turn.left.wait(60) and go_on.wait(60)
        ended.append(turn)

    async def run():
        client = Client()
        leaving = asked(served, endless, count=3, client=client)
        await until(lambda: begun)
        client.gone = True
        found = await asyncio.gather(*leaving, return_exceptions=True)
        assert [type(each) for each in found] == [ClientLeft] * 3
        assert len(begun) == 1 and begun[0].left.is_set() and not ended
        (patient,) = asked(served, lambda turn: len(ended))
        await asyncio.sleep(0.05)
        go_on.set()
        assert await patient == 1  # its turn came when the thread had ended

    asyncio.run(run())


def test_an_error_is_the_askers_alone():
    async def run():
        served = make_served()
        with pytest.raises(ZeroDivisionError):
            await served.computed("one", lambda turn: 1 // 0, Client())
        assert await served.computed("one", lambda turn: 1, Client()) == 1

    asyncio.run(run())
