"""What Keras rewrites in the layers of a model, and how it is kept in the model's file."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import keras
from keras import ops

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.layers.quantization import is_quantized, quantize_cell
from rnnzoo.layers.replaced import ReplaceableLayers

MODES = ("int8", "int4", "float8")
CELLS = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)


class ChangedLayers:
    """Quantization, LoRA, dtype policies, replaced and frozen layers: a mix-in for our models.

    The constructor's arguments remake a model as it was built. What was changed in its layers
    since then stands beside them in the configuration, and is done again before Keras loads the
    weights.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Keras hides `quantize` of every object behind a check of its own, which knows the layers
        # one by one and raises before the sentences below are reached.
        self.__dict__.pop("quantize", None)

    def quantize(
        self,
        mode: str | None = None,
        config: Any = None,
        filters: str | Sequence[str] | Callable[[keras.layers.Layer], bool] | None = None,
        **kwargs: Any,
    ) -> None:
        """Quantizes the weights: `keras.Model.quantize`, and the recurrent matrices too.

        Matrices are stored as small integers with a scale per output, which makes the file about a
        quarter as large, and are not trained any more (LoRA is: `layer.enable_lora`). Recurrent
        cells compute in floating point with what is stored. `benchmarks/RESULTS.md` says what it
        costs.

        Args:
            mode: `"int8"`; `"int4"`, where recurrent matrices, which four bits would spoil, are
                int8; or `"float8"`, which rounds in the dense layers alone.
            config: As for `keras.Model.quantize`, in place of `mode`.
            filters: As for `keras.Model.quantize`: which layers, by parts of their names or by a
                function. A recurrent matrix goes by the name of its layer, such as `"lstm_0"`.
            **kwargs: As for `keras.Model.quantize`.

        Raises:
            InputError: If the mode is none of these, a layer is quantized already, or no layer is
                chosen; the model then is as before.

        Example:
            >>> from rnnzoo import char_lstm
            >>> model = char_lstm(65, units=8)
            >>> model.quantize("int8")
            >>> model.head.quantization_mode
            'int8'
        """
        if config is not None and not isinstance(config, keras.quantizers.QuantizationConfig):
            raise InputError(
                "`config` must be a keras.quantizers.QuantizationConfig, such as "
                f"Int8QuantizationConfig(), not {config!r}."
            )
        if mode is None and config is None:
            raise InputError('Give the mode of the quantization, such as quantize("int8").')
        if config is not None and mode not in (None, config.mode):
            raise InputError(
                f"The mode is {mode!r} and that of `config` {config.mode!r}; give one of the two."
            )
        mode = config.mode if mode is None else mode
        if mode in ("gptq", "awq"):
            raise InputError(
                f'The mode "{mode}" calibrates blocks of transformers, which a recurrent model has '
                'not; use "int8" or "int4".'
            )
        if mode not in MODES:
            raise unknown_name("mode of quantization", mode, MODES)
        layers, cells = self._to_quantize(mode, filters)
        if not layers and not cells:
            raise InputError(
                f"No layer is left to be quantized with the filters {filters!r}; the layers are "
                f"{', '.join(sorted({layer.name for layer in _quantizable(self, mode)}))}."
            )
        done = [layer.name for layer in (*layers, *cells) if _mode(layer)]
        if done:
            raise InputError(
                f"The layers {', '.join(done)} are quantized already; quantize a model once, or "
                "load the file that it was saved to before."
            )
        half = [layer.name for layer in layers if layer.compute_dtype == "float16"]
        if mode == "int8" and half:
            raise InputError(
                f"The layers {', '.join(half)} compute in float16, whose range int8 exceeds; make "
                'the model with dtype="mixed_bfloat16" or "float32".'
            )
        chosen = {id(layer) for layer in layers}
        if layers:
            super().quantize(mode, config, lambda layer: id(layer) in chosen, **kwargs)
        for cell in cells:
            quantize_cell(cell)
        self._follow_changes()
        self._renew_optimizer(forget=True)

    def copy_in_dtype(self, dtype: str) -> Self:
        """Makes the same model in another dtype, without what compiled it.

        Args:
            dtype: The name of the dtype policy of all layers of the copy.

        Returns:
            The copy, with the weights, the quantization, the LoRA and the frozen layers of the
            model.

        Example:
            >>> from rnnzoo import char_lstm
            >>> char_lstm(9, units=8, dtype="mixed_bfloat16").copy_in_dtype("float32").compute_dtype
            'float32'
        """
        config = {**self.get_config(), "dtype": dtype}
        for change in config.get("changed_layers", {}).values():
            change.pop("dtype", None)
            if "layer" in change:
                change["layer"]["config"]["dtype"] = dtype
        copy = type(self).from_config(config)
        copy.set_weights(self.get_weights())
        return copy

    def _to_quantize(self, mode, filters):
        """The dense layers and embeddings, and the cells, that the filters choose."""
        from keras.src.quantizers.utils import should_quantize_layer as passes

        layers, cells = [], []
        for layer in _quantizable(self, mode):
            if passes(layer, filters):
                if isinstance(layer, keras.layers.RNN):
                    cells.append(layer.cell)
                else:
                    (cells if isinstance(layer, CELLS) else layers).append(layer)
        return layers, cells

    def _changes(self) -> dict[str, dict[str, Any]]:
        """What was changed, by the path of each layer; empty in a model as it was built."""
        changes = {
            path: {"layer": _serialized(getattr(owner, name))}
            for path, owner, name in _replaceable(self)
            if name in getattr(owner, "replaced", ())
        }
        for path, layer in _named_layers(self):
            change = {}
            mode, policy = _mode(layer), layer.dtype_policy
            if mode:
                change["quantization"] = mode
                config = getattr(layer, "quantization_config", None)
                if config is not None:
                    change["config"] = keras.saving.serialize_keras_object(config)
                policy = _source(policy)
            if getattr(layer, "lora_enabled", False):
                change["lora"] = {"rank": layer.lora_rank, "lora_alpha": layer.lora_alpha}
            if policy.name != self.dtype_policy.name and layer.weights:
                change["dtype"] = policy.name
            if change:
                changes.setdefault(path, {}).update(change)
        return changes

    def _trainable_layers(self) -> dict[str, bool]:
        """Whether a layer is trained, by its path, where it differs from the layer around it."""
        if not self.trainable:  # then nothing is, whatever the layers say
            return {}
        known, found = {"": True}, {}
        for path, layer in _named_layers(self):
            known[path] = layer.trainable
            if layer.weights and layer.trainable != known[path.rpartition("/")[0]]:
                found[path] = layer.trainable
        return found

    def _change_again(self, changes: dict[str, dict[str, Any]], trainable: dict[str, bool]) -> None:
        """Does to a model as it was built what was done to another.

        Args:
            changes: What `_changes` has found.
            trainable: What `_trainable_layers` has found.
        """
        owners = {path: (owner, name) for path, owner, name in _replaceable(self)}
        for path, change in changes.items():
            if "layer" in change and path in owners:
                owner, name = owners[path]
                setattr(owner, name, keras.saving.deserialize_keras_object(change["layer"]))
        layers = dict(_named_layers(self))
        for path, value in trainable.items():  # before LoRA, which freezes a part of its layer
            _layer_at(layers, path).trainable = value
        for path, change in changes.items():
            if set(change) == {"layer"} and path in owners:
                continue
            layer = _layer_at(layers, path)
            if "dtype" in change:
                layer.dtype_policy = change["dtype"]
            if isinstance(layer, CELLS) and "quantization" in change:
                quantize_cell(layer)
            elif "quantization" in change:
                config = keras.saving.deserialize_keras_object(change.get("config"))
                layer.quantize(change["quantization"], config=config)
            if "lora" in change:
                layer.enable_lora(**change["lora"])

    def _wake_lora(self):
        """Draws the first matrix of a LoRA anew where both are zero, as they are once loaded.

        Keras saves the product within the layer's own matrix. Of two zero matrices none would
        have a gradient.
        """
        for _, layer in _named_layers(self):
            if getattr(layer, "lora_enabled", False):
                names = ("lora_kernel_a", "lora_embeddings_a")
                first = next(getattr(layer, name) for name in names if hasattr(layer, name))
                if not ops.any(ops.not_equal(first.value, 0)):
                    first.assign(keras.initializers.HeUniform()(first.shape, first.dtype))


def _named_layers(layer: keras.layers.Layer, path: str = "") -> Iterator[tuple]:
    """All layers within a layer, each once, with the names on the way to it."""
    seen = set()

    def walk(layer, path):
        for child in layer._layers or []:
            if id(child) not in seen:
                seen.add(id(child))
                here = f"{path}/{child.name}" if path else child.name
                yield here, child
                yield from walk(child, here)

    yield from walk(layer, path)


def _layer_at(layers, path):
    if path not in layers:
        raise InputError(
            f"The model's file changes a layer {path!r} that the model has not; get or make the "
            "file again."
        )
    return layers[path]


def _replaceable(model):
    """The path, owner and attribute of each head and embedding, which may be replaced."""
    for path, owner in [("", model), *_named_layers(model)]:
        if isinstance(owner, ReplaceableLayers):
            for name in owner.part_sizes():
                yield f"{path}/{name}" if path else name, owner, name


def _serialized(layer):
    """A layer as it was before LoRA and quantization, which are done again after it is made."""
    serialized = keras.saving.serialize_keras_object(layer)
    config = serialized["config"]
    if _mode(layer):
        config["dtype"] = _source(layer.dtype_policy).name
    for name in ("lora_rank", "lora_alpha", "quantization_config"):
        config.pop(name, None)
    return serialized


def _quantizable(model, mode):
    """The layers that can be quantized: dense ones and embeddings, recurrent layers, and cells."""
    found, inside = [], set()
    for _, layer in _named_layers(model):
        if isinstance(layer, keras.layers.RNN) and isinstance(layer.cell, CELLS):
            inside.add(id(layer.cell))
            found.append(layer)
        elif isinstance(layer, CELLS) or type(layer) in (
            keras.layers.Dense, keras.layers.Embedding, keras.layers.EinsumDense,
        ):  # fmt: skip
            found.append(layer)
    found = [layer for layer in found if id(layer) not in inside]
    if mode == "float8":  # Keras rounds the inputs and weights of dense layers
        kinds = keras.layers.Dense | keras.layers.EinsumDense
        found = [layer for layer in found if isinstance(layer, kinds)]
    return found


def _mode(layer):
    if isinstance(layer, CELLS):
        return "int8" if is_quantized(layer) else None
    return layer.quantization_mode


def _source(policy):
    """The policy that a quantized layer had before: that of "int8_from_float32" is "float32"."""
    return keras.dtype_policies.get(policy.name.split("_from_")[-1])
