"""Export: a trained model as a SavedModel, text in and text out, that needs TensorFlow alone.

`Model.export` of every rnnzoo model comes here; it describes the endpoints.
"""

import os
from typing import Any

import keras

from rnnzoo.errors import InputError
from rnnzoo.generation.beam import check_search
from rnnzoo.layers.recurrent import FastLoop


def export(
    model: keras.Model,
    filepath: str | os.PathLike,
    format: str = "tf_saved_model",
    *,
    verbose: bool | None = None,
    input_signature: list[Any] | None = None,
    use_cudnn: bool = False,
    beam_width: int = 1,
    length_penalty: float = 0.6,
    **kwargs: Any,
) -> None:
    """Exports a model; `rnnzoo.models.base.ZooModel.export` describes it.

    Args:
        model: A model that gives its `export_endpoints`.
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
    names = list(model.export_endpoints())
    knows_text = names != ["serve"]
    check_search(beam_width, length_penalty)
    if beam_width > 1 and ("translate" not in names or format != "tf_saved_model"):
        raise InputError(
            f"`beam_width` ({beam_width}) goes with the endpoint `translate`, which only a "
            "SavedModel of an encoder-decoder with vocabularies has; leave it out."
        )
    keras_writes = format != "tf_saved_model" or (backend != "tensorflow" and not knows_text)
    if not keras_writes and backend != "tensorflow":
        raise InputError(
            "A SavedModel that reads and writes text is exported on TensorFlow, but Keras runs on "
            f"{backend}; save the model, load it in a process with the environment "
            "variable KERAS_BACKEND=tensorflow, and export it there."
        )
    if kwargs and not keras_writes:
        raise TypeError(f"export got unexpected keyword arguments: {', '.join(kwargs)}.")
    copy = portable_copy(model, use_cudnn)
    endpoints = copy.export_endpoints()
    if input_signature is None:
        input_signature = [endpoints["serve"]["inputs"]]
    if keras_writes:
        from rnnzoo.export.checked import export_by_keras

        export_by_keras(copy, filepath, format, verbose, input_signature, **kwargs)
        return
    from rnnzoo.export.endpoints import make_endpoints
    from rnnzoo.export.writing import write_saved_model

    endpoints["serve"] = {"inputs": input_signature}
    if "translate" in endpoints:
        endpoints["translate"] |= {"beam_width": beam_width, "length_penalty": length_penalty}
    module, signatures = make_endpoints(copy, endpoints)
    write_saved_model(module, signatures, filepath)
    if verbose is not False:
        print(f"Exported to {str(filepath)!r}: a SavedModel with the endpoints {', '.join(names)}.")


def portable_copy(model: keras.Model, use_cudnn: bool = False) -> keras.Model:
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
    copy = model.copy_in_dtype("float32")
    for layer in copy._flatten_layers():  # those inside Bidirectional too
        if isinstance(layer, FastLoop):
            layer.inner_loop = super(FastLoop, layer).inner_loop
        if hasattr(layer, "exporting"):
            layer.exporting = True  # the decoder's loop: Keras's, too
        if hasattr(layer, "use_cudnn") and not use_cudnn:
            layer.use_cudnn = False  # read at every call
    return copy
