"""S1's two networks: from a number spelled in characters to its digits, running free.

Both read the 27 symbols of the document one-hot and write a softmax over 11 at each of
`MAX_DIGITS + 1` positions. No symbol goes into either decoder, neither a target nor what the
decoder wrote: training and use are the same computation.
"""

import keras
from keras import ops

from rnnzoo.errors import InputError, check_positive, unknown_name
from rnnzoo.layers import GRU, BahdanauAttention

NUM_INPUTS = 27  # digits, '#', space and the 15 letters that spell the digits
NUM_OUTPUTS = 11  # digits and '#'
MERGE_MODES = {"concat": "concat", "sum": "sum", "product": "mul"}
BRIDGES = ("repeat", "initial_state")


def encoder_decoder(
    input_length,
    decode_steps,
    encoder_units=10,
    decoder_units=10,
    *,
    bidirectional=None,
    trainable_embedding=False,
    bridge="repeat",
):
    """Builds model 1: all of the input must pass through the encoder's last state.

    Args:
        input_length: Symbols of an input with its padding; fixed, so that the loops unroll.
        decode_steps: Symbols to write.
        encoder_units: Size of the encoder's state.
        decoder_units: Size of the decoder's state.
        bidirectional: Exercise: read in both directions and merge the two last states by
            `"concat"`, `"sum"` or `"product"`. `None` reads forwards only.
        trainable_embedding: Exercise: the one-hot code is only where the embedding starts.
        bridge: `"repeat"` gives the encoder's last state to the decoder as its input at every
            step. `"initial_state"`, an exercise, starts the decoder with it, and then it runs
            without any input.

    Returns:
        A functional Keras model from `{"inputs": int (batch, input_length), "input_mask": bool}`
        to logits `(batch, decode_steps, 11)`.

    Raises:
        InputError: If a size or a name is not valid, or the decoder is not as wide as the state
            that it should start with.

    Example:
        >>> encoder_decoder(input_length=11, decode_steps=3).output_shape
        (None, 3, 11)
    """
    check_positive(decode_steps=decode_steps, decoder_units=decoder_units)
    if bridge not in BRIDGES:
        raise unknown_name("way to hand the state over", bridge, BRIDGES)
    inputs, state = _encoder(
        input_length,
        encoder_units,
        bidirectional,
        trainable_embedding=trainable_embedding,
        return_sequences=False,
    )  # state: (B, encoder_units), twice that for "concat"
    repeated = keras.layers.RepeatVector(decode_steps, name="repeat")(state)
    decoder = GRU(decoder_units, return_sequences=True, name="decoder")
    if bridge == "repeat":
        decoded = decoder(repeated)  # (B, decode_steps, decoder_units)
    else:
        if state.shape[-1] != decoder_units:
            raise InputError(
                f"The decoder ({decoder_units} units) cannot start with a state of "
                f"{state.shape[-1]}; make them equal, for instance by "
                '`bidirectional="sum"` instead of "concat".'
            )
        decoded = decoder(ops.zeros_like(repeated[:, :, :1]), initial_state=state)
    logits = keras.layers.Dense(NUM_OUTPUTS, name="softmax")(decoded)  # the loss has the softmax
    return keras.Model(inputs, logits, name="s1_encoder_decoder")


def attention_decoder(
    input_length,
    decode_steps,
    encoder_units=10,
    decoder_units=10,
    alignment_units=20,
    *,
    bidirectional=None,
    trainable_embedding=False,
):
    """Builds model 2: at every step the decoder looks where in the input it wants.

    Args:
        input_length: As for `encoder_decoder`.
        decode_steps: As for `encoder_decoder`.
        encoder_units: Size of the encoder's state.
        decoder_units: Size of the decoder's state.
        alignment_units: Size of the space in which state and input are compared.
        bidirectional: As for `encoder_decoder`; merges both directions at each position.
        trainable_embedding: As for `encoder_decoder`.

    Returns:
        A model as that of `encoder_decoder`; `attention_of` makes its twin that returns the
        attention weights.

    Example:
        >>> attention_decoder(input_length=11, decode_steps=3).output_shape
        (None, 3, 11)
    """
    inputs, values = _encoder(
        input_length,
        encoder_units,
        bidirectional,
        trainable_embedding=trainable_embedding,
        return_sequences=True,
    )  # (B, input_length, encoder_units)
    decoder = FeedbackDecoder(decoder_units, alignment_units, decode_steps, name="decoder")
    decoded, _ = decoder(values, mask=inputs["input_mask"])  # (B, decode_steps, values' size)
    logits = keras.layers.Dense(NUM_OUTPUTS, name="softmax")(decoded)
    return keras.Model(inputs, logits, name="s1_attention")


def attention_of(model):
    """The same network with another output: attention weights `(batch, decode_steps, inputs)`."""
    return keras.Model(model.input, model.get_layer("decoder").output[1])


def _encoder(input_length, units, bidirectional, trainable_embedding, return_sequences):
    """The GRU encoder over the one-hot embedding; returns the model's inputs and its output."""
    check_positive(input_length=input_length, encoder_units=units)
    if bidirectional is not None and bidirectional not in MERGE_MODES:
        raise unknown_name("way to merge two directions", bidirectional, MERGE_MODES)
    inputs = keras.Input((input_length,), dtype="int32", name="inputs")
    mask = keras.Input((input_length,), dtype="bool", name="input_mask")
    one_hot = keras.layers.Embedding(
        NUM_INPUTS,
        NUM_INPUTS,
        embeddings_initializer="identity",
        trainable=trainable_embedding,
        name="embedding",
    )
    encoder = GRU(units, return_sequences=return_sequences, name="encoder")
    if bidirectional is not None:
        merge_mode = MERGE_MODES[bidirectional]
        encoder = keras.layers.Bidirectional(encoder, merge_mode=merge_mode, name="encoder")
    return {"inputs": inputs, "input_mask": mask}, encoder(one_hot(inputs), mask=mask)


@keras.saving.register_keras_serializable("rnnzoo")
class FeedbackDecoder(keras.layers.Layer):
    """An LSTM that attends over the input and is fed its own output, the context it found.

    At each step the state of the step before asks, the context found goes into the cell, and the
    context is also the layer's output: that is what the softmax sees.

    Args:
        units: Size of the LSTM's state.
        alignment_units: Size of the space in which state and input are compared.
        steps: Steps to run.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        values: The encoder's outputs, `(batch, source_length, value_dim)`.
        mask: Boolean `(batch, source_length)`, `True` at real positions.

    Returns:
        The contexts `(batch, steps, value_dim)` and the attention weights
        `(batch, steps, source_length)`.

    Example:
        >>> contexts, weights = FeedbackDecoder(8, 4, steps=3)(ops.ones((2, 5, 6)))
        >>> tuple(contexts.shape), tuple(weights.shape)
        ((2, 3, 6), (2, 3, 5))

    Reference:
        Bahdanau, Cho and Bengio, ICLR 2015 (arXiv:1409.0473), without the symbol fed back.
    """

    def __init__(self, units, alignment_units, steps, **kwargs):
        super().__init__(**kwargs)
        check_positive(units=units, alignment_units=alignment_units, steps=steps)
        self.units, self.alignment_units, self.steps = units, alignment_units, steps
        dtype = self.dtype_policy
        self.attention = BahdanauAttention(alignment_units, dtype=dtype, name="attention")
        self.cell = keras.layers.LSTMCell(units, dtype=dtype, name="cell")

    def build(self, values_shape, mask_shape=None):
        """Creates the weights for the shape of the encoder's outputs."""
        self.attention.build((None, self.units), values_shape)
        self.cell.build((None, values_shape[-1]))

    def call(self, values, mask=None):
        """Runs all steps; see the class."""
        keys = self.attention.project(values)  # (B, S, A), once for all steps
        hidden = cell = ops.zeros((ops.shape(values)[0], self.units), self.compute_dtype)
        contexts, attention = [], []
        for _ in range(self.steps):  # unrolled: with 10 units 1.2 times as fast as `ops.scan`
            context, weights = self.attention(
                hidden, values, keys=keys, mask=mask
            )  # (B, V), (B, S)
            _, (hidden, cell) = self.cell(context, [hidden, cell])
            contexts.append(context)
            attention.append(weights)
        return ops.stack(contexts, axis=1), ops.stack(attention, axis=1)

    def compute_mask(self, values, previous_mask=None):
        """None: the mask is that of the input, and ends here."""

    def compute_output_shape(self, values_shape, mask_shape=None):
        """Shapes of the contexts and of the weights."""
        batch, source, size = values_shape
        return (batch, self.steps, size), (batch, self.steps, source)

    def get_config(self):
        """The arguments that remake the layer."""
        own = {
            "units": self.units,
            "alignment_units": self.alignment_units,
            "steps": self.steps,
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("rnnzoo")
class TwiceClippedAdam(keras.optimizers.Adam):
    """Adam with the document's two clips: every gradient element, then the norm of all together.

    Keras's own optimizers take one of the two.

    Args:
        learning_rate: As for Adam.
        clip: The most that an element may be, either sign, and then the most that the total norm
            may be.
        epsilon: As for Adam; Lasagne's default.
        **kwargs: What `keras.optimizers.Adam` takes.
    """

    def __init__(self, learning_rate=0.005, clip=3.0, epsilon=1e-8, **kwargs):
        kwargs["global_clipnorm"] = clip
        super().__init__(learning_rate, epsilon=epsilon, **kwargs)
        self.clip = clip

    def apply(self, grads, trainable_variables=None):
        """Clips the elements; `keras.optimizers.Adam` does the rest."""
        clipped = [  # convert_to_tensor: the gradient of an embedding may come as slices of it
            grad if grad is None else ops.clip(ops.convert_to_tensor(grad), -self.clip, self.clip)
            for grad in grads
        ]
        return super().apply(clipped, trainable_variables)

    def get_config(self):
        """The arguments that remake the optimizer."""
        return {**super().get_config(), "clip": self.clip}
