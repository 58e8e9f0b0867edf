"""Recurrent layers one above the other, with their state in the open."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError, check_fraction, check_not_negative, check_positive
from rnnzoo.layers.blocks import make_block
from rnnzoo.layers.cells.cell_loop import cast_state, recurrent_layer, run_cell
from rnnzoo.layers.cells.registry import output_size, state_shapes
from rnnzoo.layers.initial_state import InitialState
from rnnzoo.typing import Shape, Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class RecurrentStack(keras.layers.Layer):
    """Runs recurrent layers one above the other, each in its block: by default, dropout after it.

    The state goes in and comes out as one flat list of tensors, `(batch, *shape)` each: for an LSTM
    the output and the cell state of the first layer, then those of the second, and so on, all
    `(batch, units)`. Nothing is kept between calls.

    Args:
        units: Size of the state, one number for all layers or one per layer.
        num_layers: Number of layers; may be left out when `units` is a list.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        dropout: Rate of the dropout on each layer's output (Zaremba et al. 2014), the last
            included; in residual blocks, behind each norm. It leaves the recurrent connections
            alone, so cuDNN stays in use.
        locked_dropout: Whether that dropout drops the same units at every step of a row (Gal and
            Ghahramani 2016) rather than others at each.
        weight_drop: Share of each recurrent matrix that a training batch goes without; see
            `rnnzoo.layers.LSTM`.
        trainable_initial_state: Whether the state before the first step is learnt; it begins at
            the cell's own, zero for those that rnnzoo brings.
        block: `"plain"`, or `"residual"`: norms and a gated feed-forward layer around each layer,
            beside a stream; see `rnnzoo.layers.ResidualBlock`. All `units` are then one number.
        expansion: Inner width of a residual block's feed-forward layer, in `units`.
        activation_regularization: In training, what the mean square of the outputs, after dropout,
            counts for in the loss (AR); 2 is usual.
        temporal_regularization: The same of the change of the last layer's outputs from step to
            step, before dropout (TAR); 1 is usual.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        inputs: Float tensor `(batch, time, features)`.
        initial_state: The flat list; the state before any step when left out.
        mask: Boolean `(batch, time)`; a masked step leaves the state as it was.
        training: Whether dropout is on.

    Returns:
        The outputs of the last layer, `(batch, time, units)`, and the final state.

    Raises:
        InputError: If a size is not positive, `dropout` is not a fraction, a penalty is negative,
            the cell or the block is unknown, or the layers of a residual stack differ in size.

    Example:
        >>> import numpy as np
        >>> stack = RecurrentStack(units=8, num_layers=2, cell="gru")
        >>> outputs, state = stack(np.ones((4, 5, 3), "float32"))
        >>> outputs.shape == (4, 5, 8) and len(state) == 2
        True

    Reference:
        Merity, Keskar and Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018
        (arXiv:1708.02182), for weight drop and both penalties.
    """

    def __init__(
        self,
        units: int | Sequence[int],
        *,
        num_layers: int | None = None,
        cell: str = "lstm",
        dropout: float = 0.0,
        locked_dropout: bool = False,
        weight_drop: float = 0.0,
        trainable_initial_state: bool = False,
        block: str = "plain",
        expansion: float = 1.5,
        activation_regularization: float = 0.0,
        temporal_regularization: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_fraction(dropout=dropout)
        check_not_negative("activation_regularization", activation_regularization)
        check_not_negative("temporal_regularization", temporal_regularization)
        self.activation_regularization = float(activation_regularization)
        self.temporal_regularization = float(temporal_regularization)
        if isinstance(units, list | tuple):
            if num_layers not in (None, len(units)):
                raise InputError(
                    f"`units` lists {len(units)} layers but `num_layers` is {num_layers}; "
                    "leave one of them out."
                )
            sizes = list(units)
        else:
            check_positive(num_layers=1 if num_layers is None else num_layers)
            sizes = [units] * (num_layers or 1)
        for size in sizes:
            check_positive(units=size)
        check_positive(num_layers=len(sizes))
        if block == "residual" and len(set(sizes)) > 1:
            raise InputError(
                f"`units` is {sizes}, but the layers of a residual stack share one stream; give "
                "one number."
            )
        self.supports_masking = True
        self.units = [int(size) for size in sizes]
        self.cell = cell
        self.dropout = float(dropout)
        self.locked_dropout = bool(locked_dropout)
        self.weight_drop = float(weight_drop)
        self.trainable_initial_state = bool(trainable_initial_state)
        options = {"dtype": self.dtype_policy}
        self.recurrent_layers = [
            recurrent_layer(cell, size, weight_drop=weight_drop, name=f"{cell}_{index}", **options)
            for index, size in enumerate(self.units)
        ]
        self.start = None
        if trainable_initial_state:
            self.start = InitialState(name="initial_state", **options)
        self.block, self.expansion = block, float(expansion)
        name = "dropout" if block == "plain" else "block"
        self.blocks = [
            make_block(
                block, dropout, locked_dropout=locked_dropout, expansion=expansion,
                last=index + 1 == len(sizes), name=f"{name}_{index}", **options,
            )
            for index in range(len(sizes))
        ]  # fmt: skip

    def build(self, input_shape: Shape, **_: Any) -> None:
        """Creates the weights of every layer."""
        shape = tuple(input_shape)
        for layer, block in zip(self.recurrent_layers, self.blocks, strict=True):
            width = output_size(layer.cell)
            block.build(shape, width)
            layer.build((*shape[:-1], block.read_size))
            shape = (*shape[:-1], width)
        if self.start is not None:
            self.start.build_from(self._fixed_initial_state(1))

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each tensor of the state without the batch, in order."""
        return [shape for layer in self.recurrent_layers for shape in state_shapes(layer.cell)]

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return output_size(self.recurrent_layers[-1].cell)

    def get_initial_state(self, batch_size: int | Tensor) -> list[Tensor]:
        """Returns the state before any step, a list of `(batch_size, *shape)` tensors."""
        if self.start is not None:
            return self.start.get_initial_state(batch_size)
        return self._fixed_initial_state(batch_size)

    def _fixed_initial_state(self, batch_size):
        return [
            tensor
            for layer in self.recurrent_layers
            for tensor in layer.get_initial_state(batch_size=batch_size)
        ]

    def split_state(self, state: list[Tensor]) -> list[list[Tensor]]:
        """Cuts the flat list into one list per layer."""
        state, parts = list(state), []
        for layer in self.recurrent_layers:
            own = len(state_shapes(layer.cell))
            parts.append(state[:own])
            state = state[own:]
        return parts

    def call(
        self,
        inputs: Tensor,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """Runs whole sequences; see the class."""
        if initial_state is None:
            initial_state = self.get_initial_state(ops.shape(inputs)[0])
        final_state = []
        for layer, block, state in zip(
            self.recurrent_layers, self.blocks, self.split_state(initial_state), strict=True
        ):
            stream, read = block.enter(inputs, training=training)
            outputs, *state = layer(read, initial_state=state, mask=mask, training=training)
            final_state += cast_state(layer.cell, state)  # Keras gives it in the compute dtype
            inputs = block.leave(stream, outputs, training=training)  # (B, T, units)
        if training:
            self._regularize(inputs, outputs)
        return inputs, final_state

    def _regularize(self, dropped, outputs):
        """Adds the penalties on the last layer's outputs, after and before dropout, to the loss."""
        if self.activation_regularization:
            square = ops.mean(ops.square(ops.cast(dropped, "float32")))
            self.add_loss(self.activation_regularization * square)
        if self.temporal_regularization:
            outputs = ops.cast(outputs, "float32")
            changes = outputs[:, 1:] - outputs[:, :-1]  # (B, T - 1, units)
            size = ops.maximum(ops.size(changes), 1)  # none in a batch of one step
            square = ops.sum(ops.square(changes)) / ops.cast(size, "float32")
            self.add_loss(self.temporal_regularization * square)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> None:
        """None: the mask ends here, whoever gave it has it."""

    def step(self, inputs: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Runs one time step through the cells alone, as generation does.

        In mixed precision the cells of LSTM, GRU and SimpleRNN give their state in the compute
        dtype, so that each step rounds it; those with a `state_dtype` do not.

        Args:
            inputs: Float tensor `(batch, features)`.
            state: The flat list.

        Returns:
            The output `(batch, units)` and the new state.
        """
        new_state = []
        for layer, block, part in zip(
            self.recurrent_layers, self.blocks, self.split_state(state), strict=True
        ):
            stream, read = block.enter(inputs)
            output, part = run_cell(layer.cell, read, part)
            new_state += part
            inputs = block.leave(stream, output)
        return inputs, new_state

    def compute_output_shape(self, input_shape: Shape, **_: Any) -> tuple[Shape, list[Shape]]:
        """Shapes of the outputs and of the state."""
        return (
            (*input_shape[:-1], self.output_size),
            [(input_shape[0], *shape) for shape in self.state_shapes],
        )

    def own_config(self) -> dict[str, Any]:
        """The arguments that remake the stack, without those of every layer."""
        names = ("units", "cell", "dropout", "locked_dropout", "weight_drop")
        config = {name: getattr(self, name) for name in names}
        if self.trainable_initial_state:
            config["trainable_initial_state"] = True
        if self.block != "plain":
            config |= {"block": self.block, "expansion": self.expansion}
        for name in ("activation_regularization", "temporal_regularization"):
            if getattr(self, name):
                config[name] = getattr(self, name)
        return config

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the stack."""
        return {**super().get_config(), **self.own_config()}
