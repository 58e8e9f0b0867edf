import math
from types import SimpleNamespace

import pytest

from rnnzoo.errors import InputError
from rnnzoo.training.schedule import LearningRate, TrainingClock, learning_rate_at


class Time:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def walk(clock, time, epochs, steps, batch_seconds, validation_seconds):
    """Walks through a training as Keras does; returns the batches made and the seconds."""
    clock.set_model(SimpleNamespace(stop_training=False))
    start = time.now
    clock.on_train_begin()
    done = 0
    for epoch in range(epochs):
        clock.on_epoch_begin(epoch)
        for batch in range(steps):
            time.now += batch_seconds
            done += 1
            clock.on_train_batch_end(batch)
            if clock.model.stop_training:
                break
        clock.on_test_begin()
        time.now += validation_seconds
        clock.on_test_end()
        clock.on_epoch_end(epoch)
        if clock.model.stop_training:
            break
    return done, time.now - start


def test_values_of_the_schedule():
    assert learning_rate_at(0.0, step=0, peak=0.8, warmup_steps=8) == pytest.approx(0.1)
    assert learning_rate_at(0.0, step=7, peak=0.8, warmup_steps=8) == pytest.approx(0.8)
    assert learning_rate_at(0.5, step=100, peak=0.8) == pytest.approx(0.4)
    assert learning_rate_at(1.0, step=100, peak=0.8, final_fraction=0.1) == pytest.approx(0.08)
    assert learning_rate_at(1.0, step=100, peak=0.8) == pytest.approx(0.0)
    assert learning_rate_at(7.0, step=100, peak=0.8) == pytest.approx(0.0)  # never beyond the end
    assert learning_rate_at(1 / 3, step=100, peak=2.0, final_fraction=0.2) == pytest.approx(
        2 * (0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi / 3)))
    )


def test_without_a_budget_progress_is_steps():
    time = Time()
    clock = TrainingClock(2, steps_per_epoch=10, now=time)
    assert walk(clock, time, 2, 10, 1.0, 5.0) == (20, 30.0)
    assert clock.progress == 1.0 and clock.stopped_by is None


@pytest.mark.parametrize("validation_seconds", [0.5, 7.0, 20.0])
@pytest.mark.parametrize("steps", [7, 40, 100_000])
def test_the_budget_holds_with_its_last_validation(steps, validation_seconds):
    time = Time()
    clock = TrainingClock(
        1000,
        steps_per_epoch=steps,
        max_minutes=2.0,
        validation_seconds=validation_seconds,
        now=time,
    )
    _, seconds = walk(clock, time, 1000, steps, 1.0, validation_seconds)
    assert clock.stopped_by == "budget"
    assert seconds <= 120.0
    assert seconds >= 120.0 - validation_seconds - 2.0  # and none of it is wasted
    assert clock.progress > 0.8


def test_a_training_that_fits_its_budget_follows_steps():
    time = Time()
    clock = TrainingClock(2, steps_per_epoch=10, max_minutes=10.0, now=time)
    assert walk(clock, time, 2, 10, 1.0, 1.0)[0] == 20
    assert clock.stopped_by is None and clock.progress == 1.0


def test_earlier_minutes_count():
    time = Time()
    clock = TrainingClock(1000, steps_per_epoch=10, max_minutes=2.0, minutes_before=1.5, now=time)
    _, seconds = walk(clock, time, 1000, 10, 1.0, 0.0)
    assert 28 <= seconds <= 30
    assert 1.9 < clock.minutes <= 2.0


def test_an_interrupt_stops_at_the_next_batch():
    time = Time()
    clock = TrainingClock(5, steps_per_epoch=10, now=time)
    clock.interrupted.set()
    assert walk(clock, time, 5, 10, 1.0, 1.0)[0] == 1
    assert clock.stopped_by == "interrupt"


def test_the_rate_is_set_for_each_batch():
    time = Time()
    clock = TrainingClock(1, steps_per_epoch=4, now=time)
    rate = LearningRate(clock, peak=1.0, warmup_steps=2, final_fraction=0.5)
    model = SimpleNamespace(stop_training=False, optimizer=SimpleNamespace(learning_rate=None))
    clock.set_model(model)
    rate.set_model(model)
    clock.on_train_begin()
    clock.on_epoch_begin(0)
    rates = []
    for batch in range(4):
        rate.on_train_batch_begin(batch)
        rates.append(model.optimizer.learning_rate)
        clock.on_train_batch_end(batch)
    quarter = math.sqrt(0.5)
    expected = [0.5, 0.5 + 0.25 * (1 + quarter), 0.75, 0.5 + 0.25 * (1 - quarter)]
    assert rates == pytest.approx(expected)


def test_sizes_must_be_positive():
    with pytest.raises(InputError, match="steps_per_epoch"):
        TrainingClock(1, steps_per_epoch=0)


def test_a_rate_may_be_scaled_by_epoch_and_batch():
    clock = TrainingClock(2, steps_per_epoch=3)
    rate = LearningRate(clock, peak=1.0, final_fraction=1.0, scale=lambda *at: 10 * at[0] + at[1])
    model = SimpleNamespace(stop_training=False, optimizer=SimpleNamespace(learning_rate=None))
    clock.set_model(model)
    rate.set_model(model)
    clock.on_train_begin()
    clock.on_epoch_begin(1)
    rates = []
    for batch in range(3):
        rate.on_train_batch_begin(batch)
        rates.append(model.optimizer.learning_rate)
        clock.on_train_batch_end(batch)
    assert rates == [10, 11, 12]
