"""The record of one text that a network has read: arrays, a row for each token."""

import dataclasses

import numpy as np

CANDIDATES = ("g", "candidate")  # as most cells call them


@dataclasses.dataclass(frozen=True)
class LayerRecord:
    """What one recurrent layer did, step by step.

    Attributes:
        name: Its name, after the names of the layers that hold it: `"recurrent/lstm_0"`.
        cell: The name its cell was registered by, `""` for a cell that nobody registered.
        states: The state after each token, by the names of its tensors (`h`, and `c` of an LSTM),
            float32 `(time, *shape)` each.
        gates: The gates that led to it, by name (`i`, `f`, `o`, `g`, or `z`, `r`, `candidate`),
            float32 `(time, units)` each; empty for a cell that names none.
        candidates: The names of what in `gates` is no gate from 0 to 1, such as a candidate.
    """

    name: str
    cell: str
    states: dict[str, np.ndarray]
    gates: dict[str, np.ndarray]
    candidates: tuple[str, ...] = CANDIDATES


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What happened inside a network while it read one text.

    All arrays have a row for each token. The first token is given, not predicted: its
    log-probability and entropy are NaN, its rank is 0, and its alternatives are -1 and NaN.

    Attributes:
        ids: The tokens that were read, int32 `(time,)`; a start token is among them.
        tokens: The text of each.
        log_probabilities: Of each token after those before it, in nats, float32 `(time,)`.
        ranks: How many tokens were at least as probable, itself included: 1 is the likeliest,
            int32 `(time,)`.
        entropies: Of the prediction of each token, in nats, float32 `(time,)`.
        alternative_ids: The five likeliest tokens in its place, int32 `(time, 5)`.
        alternative_log_probabilities: Of these, float32 `(time, 5)`.
        alternatives: The texts of these, a list for each token.
        layers: The recurrent layers that read the tokens.
        source: Of a translation, the texts of the source's tokens; else `None`.
        source_layers: Of a translation, the layers of the encoder. Their rows are the source's
            tokens; those of a backward layer are the states on its way from the end.
        attention: Of a translator with attention, the weights over the source when each token was
            predicted, float32 `(time, source_length)`, NaN for the first; else `None`.
    """

    ids: np.ndarray
    tokens: list[str]
    log_probabilities: np.ndarray
    ranks: np.ndarray
    entropies: np.ndarray
    alternative_ids: np.ndarray
    alternative_log_probabilities: np.ndarray
    alternatives: list[list[str]]
    layers: list[LayerRecord]
    source: list[str] | None = None
    source_layers: list[LayerRecord] = dataclasses.field(default_factory=list)
    attention: np.ndarray | None = None
