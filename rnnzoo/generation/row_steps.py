"""The compiled functions of `Rows`: one reads what rows start from, one takes further steps."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from rnnzoo.generation.protocol import Decodable, cast_like, take_rows
from rnnzoo.generation.samplers import Sampler
from rnnzoo.typing import Tensor


def unit_values(state: Any, places: Tensor) -> Tensor:
    """Returns the activation of one unit of each row.

    Args:
        state: Tensors `(rows, ...)` of any structure.
        places: The place of each row's unit in its state, whose tensors count one after the other,
            int32 `(rows,)`.

    Returns:
        Float32 `(rows,)`.

    Example:
        >>> state = [ops.ones((2, 3)), ops.reshape(ops.arange(4.0), (2, 2))]
        >>> ops.convert_to_numpy(unit_values(state, ops.convert_to_tensor([0, 4]))).tolist()
        [1.0, 3.0]
    """
    rows = [
        ops.reshape(ops.cast(tensor, "float32"), (ops.shape(tensor)[0], -1))
        for tensor in keras.tree.flatten(state)
    ]
    found = ops.take_along_axis(
        ops.concatenate(rows, axis=-1), ops.expand_dims(places, -1), axis=-1
    )
    return found[:, 0]


def _choose(model, sampler, alternatives, *, logits, uniforms, numbers, own):
    """Chooses tokens; returns them, what is told of them by name, and the sampler's new state."""
    logits = model.rules.suppress(logits)
    names = list(sampler.numbers())
    by_name = {name: numbers[:, i : i + 1] for i, name in enumerate(names)}  # (R, 1) each
    token, own = sampler.sample(logits, uniforms, own, numbers=by_name)
    if not alternatives:
        return {"token": token}, own
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)  # (R, V)
    its = ops.take_along_axis(log_probabilities, ops.expand_dims(token, -1), axis=-1)[:, 0]
    likeliest, ids = ops.top_k(log_probabilities, alternatives)  # (R, alternatives)
    chosen = {
        "token": token, "log_probability": its, "ids": ops.cast(ids, "int32"), "values": likeliest,
    }  # fmt: skip
    return chosen, own


def compiled_start(
    model: Decodable, sampler: Sampler, alternatives: int, *, watches: bool
) -> Callable:
    """Compiles reading the inputs and choosing the first tokens.

    It takes the inputs, the place of each row's among them, int32 `(rows,)`, and what the rows are
    drawn with. An input of several rows is read once.

    Args:
        model: What is decoded.
        sampler: What chooses.
        alternatives: As in `Rows`.
        watches: Whether the last argument is `places` of `unit_values`.
    """

    def run(*arrays):
        *arrays, places = arrays if watches else (*arrays, None)
        *inputs, input_of, buffer, uniforms, numbers = arrays
        logits, state = take_rows(model.start(tuple(inputs)), input_of)
        own = sampler.start(ops.shape(logits)[0], model.rules.size, ops.shape(buffer)[0])
        chosen, own = _choose(
            model, sampler, alternatives, logits=logits, uniforms=uniforms, numbers=numbers, own=own
        )
        if watches:
            chosen["activation"] = unit_values(state, places)
        return chosen, (state, own)

    return model.compiled(("rows_start", sampler.key(), alternatives, watches), run)


def compiled_step(
    model: Decodable,
    sampler: Sampler,
    alternatives: int,
    *,
    like: Any,
    many: bool = False,
    watches: bool = False,
) -> Callable:
    """Compiles reading a token for each row and choosing the next.

    Args:
        model: What is decoded.
        sampler: What chooses.
        alternatives: As in `Rows`.
        like: How a state looks.
        many: Whether there are uniform numbers for many steps (N, R), and not for one (R,); what
            is chosen has as many axes.
        watches: Whether `places` of `unit_values` come before the state.
    """
    structure = keras.tree.map_structure(lambda _: 0, like)

    def one(tokens, uniforms, numbers, *flat):
        places, *flat = flat if watches else (None, *flat)
        old, own = keras.tree.pack_sequence_as(structure, list(flat))
        logits, new = model.step(tokens, old)
        chosen, own = _choose(
            model, sampler, alternatives, logits=logits, uniforms=uniforms, numbers=numbers, own=own
        )
        if watches:
            chosen["activation"] = unit_values(new, places)
        return chosen, (cast_like(new, old), own)

    def steps(tokens, uniforms, numbers, *flat):
        places, flat = flat[: int(watches)], flat[int(watches) :]
        shape = ops.shape(uniforms)  # (N, R)
        positions = ops.arange(shape[0], dtype="int32")
        buffers = {"token": ops.zeros(shape, "int32")}
        if alternatives:
            buffers["log_probability"] = ops.zeros(shape, "float32")
            buffers["ids"] = ops.zeros((*shape, alternatives), "int32")
            buffers["values"] = ops.zeros((*shape, alternatives), "float32")
        if watches:
            buffers["activation"] = ops.zeros(shape, "float32")

        def body(position, tokens, *carried):
            buffers, flat = carried[:kept], carried[kept:]
            uniform = ops.take(uniforms, position, axis=0)
            chosen, state = one(tokens, uniform, numbers, *places, *flat)
            buffers = [
                ops.where(
                    ops.reshape(ops.equal(positions, position), (-1, *[1] * len(new.shape))),
                    new, buffer,
                )
                for new, buffer in zip((chosen[name] for name in names), buffers, strict=True)
            ]  # fmt: skip
            return (position + 1, chosen["token"], *buffers, *keras.tree.flatten(state))

        names, kept = list(buffers), len(buffers)
        first = (ops.convert_to_tensor(0, "int32"), tokens, *buffers.values(), *flat)
        last = ops.while_loop(lambda position, *_: position < shape[0], body, first)
        state = keras.tree.pack_sequence_as(structure, list(last[2 + kept :]))
        return dict(zip(names, last[2 : 2 + kept], strict=True)), state

    key = ("rows_step", sampler.key(), alternatives, many, watches)
    return model.compiled(key, steps if many else one)
