"""A text that a client waits for: from the tokens of a row to parts that can be sent."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.rows import Choice, Request, Row


class Token(NamedTuple):
    """A token of a text, with how likely the model found it.

    Args:
        text: What it adds to the text; None for the token that ends one.
        logprob: Its log-probability in nats, before temperature and sampler.
        alternatives: The likeliest tokens at its place, each `(text, logprob)`.
        activation: Of the request's unit after the token; None where it names none.
    """

    text: str | None
    logprob: float
    alternatives: tuple[tuple[str | None, float], ...] = ()
    activation: float | None = None


class Part(NamedTuple):
    """What is new of a text.

    Args:
        text: Text that goes after the earlier parts.
        tokens: Its tokens, where a job lists them.
        reason: Why the text ended, in its last part alone: `"length"`, `"stop"`, `"end"`,
            `"time"` or `"error"`.
    """

    text: str = ""
    tokens: tuple[Token, ...] = ()
    reason: str | None = None


@dataclasses.dataclass(eq=False)
class Job:
    """A text that a client waits for.

    Args:
        request: What is to be continued, and how it is drawn.
        text: What turns tokens into text.
        limit: The most tokens.
        seconds: How long it may take from now on.
        send: Is called from the engine's thread with each `Part`.
        alternatives: How many alternatives each token lists; None for no list of tokens.
    """

    request: Request
    text: GrowingText
    limit: int
    seconds: float
    send: Callable[[Part], None]
    alternatives: int | None = None
    cancelled: bool = False
    row: Row | None = None
    tokens: int = 0

    def __post_init__(self):
        self.changed = time.monotonic()  # when tokens came last
        self.deadline = self.changed + self.seconds
        self._sent = self._noted = 0  # characters of the text, and of its tokens
        self._last: Choice | None = None  # whose activation is not known yet
        self._pending: deque[tuple[int, Token]] = deque()  # where they begin, and tokens

    def take(self, choices: list[Choice], end_id: int | None) -> bool:
        """Sends the text of new tokens; returns whether the text is over."""
        pieces, reason = [], None
        for choice in self._with_activations(choices):
            self.tokens += 1
            if choice.token == end_id:
                reason = "end"
            else:
                if self.alternatives is not None:
                    self._note(choice, end_id)
                pieces.append(self.text.add(choice.token))
                if self.text.stopped:
                    reason = "stop"
                elif self.tokens >= self.limit:
                    reason = "length"
            if reason:
                break
        if reason is None and time.monotonic() > self.deadline:
            reason = "time"
        if reason:
            pieces.append(self.text.end())
        text = "".join(pieces)
        self._sent += len(text)
        tokens = self._ready(over=reason is not None)
        if text or tokens:
            self.send(Part(text, tokens))
        if reason:
            self.send(Part(reason=reason))
        return reason is not None

    def _with_activations(self, choices):
        """Lets a token wait for the next choice, which has the unit's activation after it."""
        for choice in choices:
            if choice.activation is None:
                yield choice
                continue
            last, self._last = self._last, choice
            if last is not None:
                yield last._replace(activation=choice.activation)

    def _note(self, choice, end_id):
        """Keeps a token until all of its text is sent: a stop text may still take it away."""
        token = describe(choice, self.text, end_id=end_id, alternatives=self.alternatives)
        self._pending.append((self._noted, token))
        self._noted += len(token.text)

    def _ready(self, over):
        """The tokens whose text is sent; once it is over, also one of which a part is."""
        tokens = []
        while self._pending:
            start, token = self._pending[0]
            whole = start + len(token.text) <= self._sent
            if not whole and not (over and start < self._sent):
                break
            tokens.append(self._pending.popleft()[1])
        return tuple(tokens)


def describe(choice: Choice, text: GrowingText, *, end_id: int | None, alternatives: int) -> Token:
    """Names a token and its alternatives as they would go on after a text."""

    def named(token):
        return None if token == end_id else text.preview(token)

    others = choice.alternatives[:alternatives]
    return Token(
        named(choice.token),
        choice.log_probability,
        tuple((named(token), logprob) for token, logprob in others),
        activation=choice.activation,
    )
