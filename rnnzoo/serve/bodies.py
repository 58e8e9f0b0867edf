"""What requests may say: their fields and limits."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_NEW_TOKENS = 4096
MAX_CHARACTERS = 20_000  # of a text
MAX_ALTERNATIVES = 10  # of a token
MAX_TEXTS = 64  # of one request

Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
Stop = str | Annotated[list[str], Field(max_length=16)] | None
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Unit = Annotated[str, Field(max_length=100)]  # "1:c:37": layer, state and unit
Alternatives = Annotated[int, Field(ge=0, le=MAX_ALTERNATIVES)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str | None = None


class GenerateBody(_Body):
    """What `/v1/generate` reads; the words are those of `LanguageModel.generate`."""

    prompt: Text
    max_new_tokens: int = Field(100, ge=1, le=MAX_NEW_TOKENS)
    sampler: str | None = None
    temperature: float | None = None
    k: int | None = Field(None, ge=1, le=2**31 - 1)
    p: float | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram: int | None = Field(None, ge=0, le=MAX_NEW_TOKENS)
    seed: Seed | None = None
    stop: Stop = None
    alternatives: Alternatives | None = None
    unit: Unit | None = None
    stream: bool = False


class TranslateBody(_Body):
    """What `/v1/translate` reads."""

    text: Text
    beam_width: int = Field(1, ge=1, le=16)
    attention: bool = False
    alternatives: Alternatives | None = None


class ActivationsBody(_Body):
    """What `/v1/activations` reads."""

    text: Text
    unit: Unit


class ScoreBody(_Body):
    """What `/v1/score` reads: a text, and for a translator the source of it."""

    text: Text
    source: Text | None = None


class ClassifyBody(_Body):
    """What `/v1/classify` reads: a text."""

    text: Text


class StreamOptions(BaseModel):
    """What a stream of `/v1/completions` tells besides the text."""

    include_usage: bool = False


class CompletionBody(_Body):
    """What `/v1/completions` reads; the words are OpenAI's.

    Fields that no model here can follow take the one value that changes nothing.
    """

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    max_tokens: int = Field(16, ge=1, le=MAX_NEW_TOKENS)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    n: int = Field(1, ge=1, le=MAX_TEXTS)
    stop: Stop = None
    seed: Seed | None = None
    logprobs: Alternatives | None = None
    echo: bool = False
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    best_of: Literal[1] = 1
    frequency_penalty: Literal[0] = 0
    presence_penalty: Literal[0] = 0
    suffix: Literal[""] | None = None
