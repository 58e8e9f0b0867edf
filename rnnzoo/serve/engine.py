"""One thread a model, which writes the texts of all requests together."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rnnzoo.generation.rows import Rows
from rnnzoo.serve.jobs import Job, Part

log = logging.getLogger(__name__)
STEPS = 4  # tokens of each row in one compiled call: more are faster, and let others wait longer
READ = 512  # tokens of prompts that are read between two steps; a longer prompt is read alone


class QueueFull(Exception):
    """There is no place for another request."""


class Engine(threading.Thread):
    """Writes texts with one language model; requests join and leave between two steps.

    Args:
        model: The `LanguageModel`.
        capacity: How many texts are written at once.
        queue: How many more may wait.
        max_new_tokens: The most tokens of a text.
        alternatives: The most alternatives of a token that a job may list.
        report: Is called with new tokens of a text: how many, the seconds since the ones before
            (or since the job came), and whether they are its first.
    """

    def __init__(
        self,
        model: Any,
        *,
        capacity: int,
        queue: int,
        max_new_tokens: int,
        alternatives: int,
        report: Callable[[int, float, bool], None],
    ):
        super().__init__(name=f"rnnzoo-{model.name}", daemon=True)
        self.rows = Rows(
            model.decodable(),
            capacity=capacity,
            max_new_tokens=max_new_tokens,
            alternatives=alternatives,
        )
        self.queue, self.end_id, self.report = queue, self.rows.model.rules.end_id, report
        self._alternatives = self.rows.alternatives
        self.lock = threading.Lock()  # of the model: scoring waits for a step, and a step for it
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._stopping = False

    def submit(self, *jobs: Job) -> None:
        """Lets jobs wait for their turn, all of them or none; an array of ids is read once.

        Raises:
            QueueFull: If too many wait already, or the engine stops.
        """
        with self._changed:
            free = self.rows.capacity - len(self._running)
            if self._stopping or len(self._waiting) + len(jobs) > self.queue + free:
                raise QueueFull
            self._waiting += jobs
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Lets a job go: nobody waits for it any more."""
        with self._changed:
            job.cancelled = True
            with contextlib.suppress(ValueError):  # it does not wait any more
                self._waiting.remove(job)
            self._changed.notify()

    def stop(self, seconds: float = 5.0) -> None:
        """Takes no more jobs, ends those that run, and waits for the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self.join(seconds)

    @property
    def load(self) -> tuple[int, int]:
        """How many texts are written, and how many wait."""
        return len(self._running), len(self._waiting)

    def run(self) -> None:
        """Joins, steps and frees rows until it is stopped."""
        while True:
            with self._changed:
                while not (self._waiting or self._running or self._stopping):
                    self._changed.wait()
                if self._stopping:
                    for job in (*self._running, *self._waiting):
                        job.send(Part(reason="error"))
                    self._waiting.clear()
                    return
                new = self._admitted()
            try:
                self._step()
            except Exception:  # one that nobody foresaw ends the texts at hand, not the server
                log.exception("The model %s failed in a step.", self.name)
                self._fail(self._running)
            for _, copies in itertools.groupby(new, lambda job: id(job.request.ids)):
                jobs = [job for job in copies if not job.cancelled]
                try:  # each prompt alone: none ends the texts of others
                    self._begin(jobs)
                except Exception:
                    log.exception("The model %s failed to begin a text.", self.name)
                    self._fail(jobs)

    def _admitted(self):
        """Takes as many waiting jobs as there are places, and as a turn may read the prompts of."""
        new, tokens, ids = [], 0, None
        while self._waiting and len(self._running) + len(new) < self.rows.capacity:
            if self._waiting[0].request.ids is not ids:  # no copy, which is read with the first
                ids = self._waiting[0].request.ids
                tokens += len(ids)
                if new and tokens > READ:
                    break
            new.append(self._waiting.popleft())
        return new

    def _step(self):
        """Writes further tokens of all texts at hand."""
        for job in [job for job in self._running if job.cancelled]:
            self._leave(job)
        if self._running:
            self._list_alternatives(self._running)
            with self.lock:
                self.rows.step(STEPS)
        for job in list(self._running):
            self._take(job)

    def _begin(self, jobs):
        """Reads the prompt that jobs share, and writes their first tokens."""
        if not jobs:
            return
        self._list_alternatives(jobs)
        with self.lock:
            rows = self.rows.join(*[job.request for job in jobs])
        for job, row in zip(jobs, rows, strict=True):
            job.row = row
        self._running += jobs
        for job in jobs:
            self._take(job)

    def _list_alternatives(self, jobs):
        """Lets the next call list alternatives only if a text lists them: it takes time."""
        listed = any(job.alternatives is not None for job in jobs)
        self.rows.alternatives = self._alternatives if listed else 0

    def _take(self, job):
        """Sends the new tokens of a text, which leaves if it is over."""
        before, now = job.tokens, time.monotonic()
        over = job.take(job.row.choices, self.end_id)
        if job.tokens > before:
            self.report(job.tokens - before, now - job.changed, not before)
            job.changed = now
        if over:
            self._leave(job)

    def _leave(self, job):
        self._running.remove(job)
        self.rows.free(job.row)

    def _fail(self, jobs):
        for job in list(jobs):
            job.send(Part(reason="error"))
            if job in self._running:
                self._leave(job)
