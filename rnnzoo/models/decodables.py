"""What models hand to `rnnzoo.generation`: how each starts, goes on and scores."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.protocol import Decodable, TokenRules, take_rows
from rnnzoo.typing import Tensor


class DecodableLanguageModel(Decodable):
    """A language model; its inputs are prompts, ids `(batch, time)` and their lengths."""

    def __init__(self, model: keras.Model):
        vocabulary = model.vocabulary
        rules = TokenRules(model.vocabulary_size)
        if vocabulary is not None:
            never = (vocabulary.pad_id, vocabulary.start_id, vocabulary.unknown_id)
            rules = TokenRules(
                model.vocabulary_size,
                vocabulary.start_id,
                vocabulary.end_id,
                suppressed_ids=tuple(index for index in never if index is not None),
            )
        super().__init__(model, rules)

    def start(self, inputs: tuple[Tensor, Tensor], attention: bool = False) -> tuple:
        """Reads prompts of different lengths at once."""
        return self.model.prefill(*inputs)

    def step(self, tokens: Tensor, state: Any, attention: bool = False) -> tuple:
        """Reads one token per row."""
        return self.model.step(tokens, state)

    def read(self, inputs: tuple[Tensor, Tensor], state: Any) -> Any:
        """Reads texts of different lengths after others; returns the new state."""
        return self.model.prefill(*inputs, initial_state=state)[1]

    def pack(self, rows: Sequence[np.ndarray], multiple: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Packs prompts: the ids `(batch, time)` and their lengths `(batch,)`."""
        return pad_rows(rows, multiple)

    def nats(self, inputs: tuple[Tensor], labels: Tensor) -> Tensor:
        """Computes the negative log-probability of each label after the tokens before it."""
        return self.model({"tokens": inputs[0], "labels": labels}, training=False)["nats"]


class DecodableTranslator(Decodable):
    """An encoder-decoder; its inputs are sources, ids `(batch, source_length)`.

    The state is `{"decoder": ..., "memory": ...}`; the memory is the same at every step.

    Args:
        model: The model.
        writes_unknown: Whether the unknown token may be written.
    """

    def __init__(self, model: keras.Model, writes_unknown: bool = False):
        vocabulary = model.target_vocabulary
        never = {0, model.start_id}  # padding and start, also without a vocabulary
        if vocabulary is not None and vocabulary.unknown_id is not None and not writes_unknown:
            never.add(vocabulary.unknown_id)
        size = model.target_vocabulary_size
        rules = TokenRules(size, model.start_id, model.end_id, suppressed_ids=tuple(sorted(never)))
        super().__init__(model, rules)
        self.has_attention = model.decoder.attention is not None

    def start(self, inputs: tuple[Tensor], attention: bool = False) -> tuple:
        """Reads the sources, and the start token."""
        memory, state = self.model.encode(inputs[0])
        tokens = ops.full((ops.shape(inputs[0])[0],), self.rules.start_id, "int32")
        return self.step(tokens, {"decoder": state, "memory": memory}, attention)

    def step(self, tokens: Tensor, state: Any, attention: bool = False) -> tuple:
        """Reads one token per row."""
        memory = state["memory"]
        logits, new, weights = self.model.step(tokens, state["decoder"], memory)
        result = logits, {"decoder": new, "memory": memory}
        return (*result, weights) if attention else result

    def pack(self, rows: Sequence[np.ndarray], multiple: int = 1) -> tuple[np.ndarray]:
        """Packs sources: the ids `(batch, source_length)`."""
        return pad_rows(rows, multiple)[:1]

    def source_mask(self, inputs: tuple[Tensor]) -> Tensor:
        """Returns which source tokens are no padding."""
        return ops.not_equal(inputs[0], 0)

    def reorder(self, state: Any, rows: Tensor) -> Any:
        """Takes rows of the decoder's state; hypotheses of one source share their memory."""
        return {"decoder": take_rows(state["decoder"], rows), "memory": state["memory"]}

    def nats(self, inputs: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        """Computes the negative log-probability of each label after the target before it."""
        source, target = inputs
        pairs = {"source": source, "target": target, "labels": labels}
        return self.model(pairs, training=False)["nats"]
