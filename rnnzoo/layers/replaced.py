"""Another layer in the place of a head or an embedding that is built."""

from typing import Any

import keras

from rnnzoo.errors import InputError


class ReplaceableLayers:
    """A mix-in for a layer or model whose `head` and `embedding` may be assigned anew.

    Keras takes no new layer once one is built. Here the new layer takes the place of the old one:
    it is built for the same inputs, and must give outputs of the same size.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Assigns an attribute; a new `head` or `embedding` of what is built is checked."""
        old = getattr(self, name, None) if name in ("head", "embedding") else None
        if not isinstance(old, keras.layers.Layer) or not old.built or value is old:
            super().__setattr__(name, value)
            return
        _check(self, name, value)
        layers = self._layers
        place = next(index for index, layer in enumerate(layers) if layer is old)
        self._tracker.unlock()
        try:
            delattr(self, name)
            self._tracker.untrack(old)
            super().__setattr__(name, value)
        finally:
            self._tracker.lock()
        layers.insert(place, layers.pop())  # so that the weights keep their order
        object.__setattr__(self, "replaced", {*self.__dict__.get("replaced", ()), name})

    def part_sizes(self) -> dict[str, tuple[int, int]]:
        """The sizes of the inputs and outputs of `embedding`, whose inputs are ids, and `head`."""
        raise NotImplementedError


def _check(owner, name, layer):
    """Builds the new layer, and raises an `InputError` if it does not fit."""
    inputs, outputs = owner.part_sizes()[name]
    if not isinstance(layer, keras.layers.Layer):
        raise InputError(f"`{name}` must be a keras.layers.Layer, not {layer!r}.")
    if getattr(layer, "activation", None) is keras.activations.softmax:
        raise InputError(
            "The head must give logits, and this one has a softmax; leave out its activation."
        )
    given = [keras.KerasTensor((None, None), "int32")]
    if name == "head":
        given = [keras.KerasTensor((None, None, inputs), owner.compute_dtype)]
        if hasattr(layer, "project"):  # a TiedHead, which takes the embeddings too
            shape = (outputs, owner.part_sizes()["embedding"][1])
            given.append(keras.KerasTensor(shape, owner.compute_dtype))
    try:
        shape = layer(*given).shape
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(
            f"The new `{name}` {layer.name!r} cannot be called on "
            f"{'ids' if name == 'embedding' else f'vectors of {inputs} numbers'} ({reason}); give "
            "a layer that can."
        ) from error
    if len(shape) != 3 or shape[-1] != outputs:
        raise InputError(
            f"The new `{name}` {layer.name!r} gives outputs of shape {tuple(shape)}, and the model "
            f"needs {outputs} numbers a token, (batch, time, {outputs}); give a layer that does."
        )
