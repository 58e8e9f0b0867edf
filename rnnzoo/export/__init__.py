"""Export: a trained model as a SavedModel, text in and text out, that needs TensorFlow alone.

`Model.export` of every rnnzoo model comes here; it describes the endpoints.
"""

import os
from functools import partial
from typing import Any

import keras

from rnnzoo.errors import InputError
from rnnzoo.generation.translate import check_search
from rnnzoo.layers.recurrent import FastLoop
from rnnzoo.models.base import ZooModel
from rnnzoo.models.language_model import LanguageModel
from rnnzoo.models.seq2seq import Seq2Seq


def export(
    model: LanguageModel | Seq2Seq,
    filepath: str | os.PathLike,
    format: str = "tf_saved_model",
    verbose: bool | None = None,
    input_signature: list[Any] | None = None,
    use_cudnn: bool = False,
    beam_width: int = 1,
    length_penalty: float = 0.6,
    **kwargs: Any,
) -> None:
    """Exports a model; `rnnzoo.models.base.ZooModel.export` describes it.

    Args:
        model: A `LanguageModel` or a `Seq2Seq`.
        filepath: Where to write.
        format: The format.
        verbose: Whether to print what was written where.
        input_signature: Shapes and dtypes of the model's inputs, for the endpoint `serve`.
        use_cudnn: Whether cuDNN may go into the graph.
        beam_width: How many hypotheses the endpoint `translate` follows; 1 is greedy search.
        length_penalty: The exponent of its length penalty, as for `Seq2Seq.translate`.
        **kwargs: Handed on to `keras.Model.export`.

    Raises:
        InputError: If text endpoints are asked for on another backend than TensorFlow, a beam of
            a model that does not translate texts, or the path is taken by something else or
            cannot be written.
    """
    backend = keras.config.backend()
    is_language_model = isinstance(model, LanguageModel)
    if is_language_model:
        knows_text = model.vocabulary is not None
        ids = keras.InputSpec("int32", (None, None))
    else:
        knows_text = None not in (model.source_vocabulary, model.target_vocabulary)
        ids = {name: keras.InputSpec("int32", (None, None)) for name in ("source", "target")}
    check_search(beam_width, length_penalty)
    if beam_width > 1 and (is_language_model or not knows_text or format != "tf_saved_model"):
        raise InputError(
            f"`beam_width` ({beam_width}) goes with the endpoint `translate`, which only a "
            "SavedModel of an encoder-decoder with vocabularies has; leave it out."
        )
    input_signature = [ids] if input_signature is None else input_signature
    if format != "tf_saved_model" or (backend != "tensorflow" and not knows_text):
        keras.Model.export(
            portable_copy(model, use_cudnn), filepath, format, verbose, input_signature, **kwargs
        )
        return
    if backend != "tensorflow":
        raise InputError(
            "A SavedModel that reads and writes text is exported on TensorFlow, but Keras runs on "
            f"{backend}; save the model, load it in a process with the environment "
            "variable KERAS_BACKEND=tensorflow, and export it there."
        )
    if kwargs:
        raise TypeError(f"export got unexpected keyword arguments: {', '.join(kwargs)}.")
    from rnnzoo.export import endpoints
    from rnnzoo.export.writing import write_saved_model

    if not knows_text:
        make = endpoints.id_endpoints
    elif is_language_model:
        make = endpoints.language_model_endpoints
    else:
        make = partial(
            endpoints.seq2seq_endpoints, beam_width=beam_width, length_penalty=length_penalty
        )
    module, signatures = make(portable_copy(model, use_cudnn), input_signature)
    write_saved_model(module, signatures, filepath)
    if verbose is not False:
        print(
            f"Exported to {str(filepath)!r}: a SavedModel with the endpoints "
            f"{', '.join(name for name in signatures if name != 'serving_default')}."
        )


def portable_copy(model: ZooModel, use_cudnn: bool = False) -> ZooModel:
    """Rebuilds a model so that its graph runs on any machine.

    The copy has the weights but nothing of the training, computes in float32 whatever the policy
    of the model (bfloat16 is slow or absent on many CPUs), and runs Keras's loop over time: cuDNN
    would not load on a CPU, and Keras's exporters fail on the written-out gradient of our own CPU
    loop. The model itself stays as it is.

    Args:
        model: A model of rnnzoo.
        use_cudnn: Whether the recurrent layers may use cuDNN where this machine has a GPU.

    Returns:
        The copy, not compiled.

    Example:
        >>> from rnnzoo import char_lstm
        >>> portable_copy(char_lstm(20, units=8, dtype="mixed_bfloat16")).compute_dtype
        'float32'
    """
    copy = type(model).from_config({**model.get_config(), "dtype": "float32"})
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():  # those inside Bidirectional too
        if isinstance(layer, FastLoop):
            layer.inner_loop = super(FastLoop, layer).inner_loop
        if hasattr(layer, "exporting"):
            layer.exporting = True  # the decoder's loop: Keras's, too
        if hasattr(layer, "use_cudnn") and not use_cudnn:
            layer.use_cudnn = False  # read at every call
    return copy
