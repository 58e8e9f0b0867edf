"""A job: from chosen tokens to parts, without a model."""

import pytest

from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.rows import Choice
from rnnzoo.vocabulary import Vocabulary

pytest.importorskip("fastapi")
WORDS = ["<end>", "Well", ",", "no", ".", "yes"]


def run(ids, *, prompt="Well", stop=(), limit=9, alternatives=2, activations=()):
    """The parts of a text whose tokens come two at a time."""
    from rnnzoo.serve.jobs import Job

    vocabulary = Vocabulary(WORDS, level="word")
    parts = []
    job = Job(
        request=None,
        text=GrowingText(
            vocabulary, before=vocabulary.encode(prompt), prompt=prompt, stop=stop
        ),
        limit=limit, seconds=60, send=parts.append, alternatives=alternatives,
    )  # fmt: skip
    choices = [Choice(token, -0.5, ((token, -0.5), (0, -1.5), (2, -3.0))) for token in ids]
    if activations:
        choices = [
            choice._replace(activation=value)
            for choice, value in zip(choices, activations, strict=True)
        ]
        choices.append(choices[-1])  # an engine goes on until the job is over
    for at in range(0, len(choices), 2):
        if job.take(choices[at : at + 2], end_id=0):
            break
    return parts


def text_of(parts):
    return "".join(part.text for part in parts)


def tokens_of(parts):
    return [token.text for part in parts for token in part.tokens]


def test_tokens_and_alternatives_go_on_after_the_text():
    parts = run([2, 3, 4, 5, 0])
    assert text_of(parts) == ", no. yes" and parts[-1].reason == "end"
    assert tokens_of(parts) == [",", " no", ".", " yes"]
    first = parts[0].tokens[1]
    assert first.logprob == -0.5
    assert first.alternatives == ((" no", -0.5), (None, -1.5))
    assert [token for part in run([2, 3], alternatives=None) for token in part.tokens] == []


def test_a_token_waits_for_the_activation_after_it():
    parts = run([2, 3, 4, 5, 0], activations=[0.1, 0.2, 0.3, 0.4, 0.5])
    assert text_of(parts) == ", no. yes" and parts[-1].reason == "end"
    assert [token.activation for part in parts for token in part.tokens] == [0.2, 0.3, 0.4, 0.5]
    assert tokens_of(run([2, 3, 4], limit=2, activations=[0.1, 0.2, 0.3])) == [",", " no"]


def test_no_space_after_a_prompt_that_ends_in_one():
    assert tokens_of(run([3, 4, 0], prompt="Well ")) == ["no", "."]


def test_a_token_waits_as_long_as_its_text():
    parts = run([3, 5, 3, 4, 3], stop=["yes no yes"], limit=5)
    assert text_of(parts) == " no yes no. no"
    assert "yes" not in text_of(parts[:1]) and tokens_of(parts[:1]) == [" no"]
    assert tokens_of(parts) == [" no", " yes", " no", ".", " no"]


@pytest.mark.parametrize(
    ("stop", "text", "tokens"),
    [("yes", " no ", [" no", " yes"]), (" yes", " no", [" no"]), ("o yes", " n", [" no"])],
)
def test_a_stop_text_takes_its_tokens_away(stop, text, tokens):
    parts = run([3, 5, 4, 3], stop=[stop])
    assert text_of(parts) == text and parts[-1].reason == "stop"
    assert tokens_of(parts) == tokens
