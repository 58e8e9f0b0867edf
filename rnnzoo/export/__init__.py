"""Export: a trained model as a SavedModel, text in and text out, that needs TensorFlow alone.

`Model.export` of every rnnzoo model comes here; it describes the endpoints.
"""

import os
from pathlib import Path
from typing import Any

import keras

from rnnzoo.errors import InputError
from rnnzoo.export.folders import SAVED_MODEL, check_replaceable
from rnnzoo.export.portable import portable_copy, portable_layers
from rnnzoo.generation.beam import check_search

FILES = {".onnx": "onnx", ".tflite": "litert"}  # the formats of files, by their suffixes
OTHER_FORMATS = {*FILES, ".h5", ".keras", ".pt", ".pb"}  # that no folder should be named


def export(
    model: keras.Model,
    filepath: str | os.PathLike,
    format: str | None = None,
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
        model: A model that gives its `export_endpoints`; any other `keras.Model` is exported as
            Keras does it, with Keras's loops in place of our kernels.
        filepath: Where to write.
        format: The format; when left out what the suffix of `filepath` says, a SavedModel where
            there is none.
        verbose: Whether to print what was written where.
        input_signature: Shapes and dtypes of the model's inputs, for the endpoint `serve`.
        use_cudnn: Whether cuDNN may go into the graph.
        beam_width: How many hypotheses the endpoint `translate` follows; 1 is greedy search.
            `translate_n_best` follows as many, or five where that is 1.
        length_penalty: The exponent of its length penalty, as for `Seq2Seq.translate`.
        **kwargs: Handed on to `keras.Model.export`.

    Raises:
        InputError: If text endpoints are requested on another backend than TensorFlow, a beam of
            a model that does not translate texts, a length penalty without a beam, it is no Keras
            model, or the path is taken by something else or cannot be written.
    """
    suffix = Path(filepath).suffix.lower()
    of_saved_models = {
        "input_signature": input_signature is not None,
        "use_cudnn": use_cudnn,
        "beam_width": beam_width != 1,
        "length_penalty": length_penalty != 0.6,
    }
    if suffix in (".html", ".htm") and isinstance(model, keras.Model):
        from rnnzoo.export.html import export_html

        _refuse({"format": format is not None, **of_saved_models}, f"a page, {str(filepath)!r}")
        export_html(model, filepath, verbose=verbose, **kwargs)
        return
    if format is None:
        format = FILES.get(suffix, "tf_saved_model")
    backend = keras.config.backend()
    if not isinstance(model, keras.Model):
        raise InputError(
            f"`export` takes a Keras model, not {type(model).__name__}; `rnnzoo.load` reads one "
            "from its folder."
        )
    if format == "tf_saved_model" and suffix in OTHER_FORMATS:
        raise InputError(
            f"{str(filepath)!r} is named like a file of another format, but a SavedModel is a "
            "folder; give a name without that ending, or one that ends in .html for a page."
        )
    endpoints = model.export_endpoints() if hasattr(model, "export_endpoints") else {"serve": {}}
    names = list(endpoints)
    knows_text = names[0] != "serve"  # the default endpoint reads text where there is one
    check_search(beam_width, length_penalty)
    searches = "translate" in names and format == "tf_saved_model"
    search = {"beam_width": (beam_width, 1), "length_penalty": (length_penalty, 0.6)}
    for name, (value, usual) in search.items():
        if value != usual and not searches:
            raise InputError(
                f"`{name}` ({value}) goes with the endpoint `translate`, which only a SavedModel "
                "of an encoder-decoder with vocabularies has; leave it out."
            )
    if length_penalty != 0.6 and beam_width == 1:
        raise InputError(
            f"`length_penalty` ({length_penalty}) is of no use to greedy search; give a "
            "`beam_width` too."
        )
    if format in FILES.values() and {"generate", "translate"} & endpoints.keys():
        from rnnzoo.export.networks import export_networks

        _refuse(of_saved_models, f"the format {format!r}")
        export_networks(model, filepath, format=format, verbose=verbose, **kwargs)
        return
    if format == "tf_saved_model":
        check_replaceable(Path(filepath), SAVED_MODEL, what="a SavedModel")
    if not hasattr(model, "export_endpoints"):
        from rnnzoo.export.checked import export_by_keras

        with portable_layers(model, use_cudnn):
            kwargs |= {"verbose": verbose, "input_signature": input_signature}
            export_by_keras(model, filepath, format, **kwargs)
        return
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

        kwargs |= {"verbose": verbose, "input_signature": input_signature}
        export_by_keras(copy, filepath, format, **kwargs)
        return
    from rnnzoo.export.endpoints import make_endpoints
    from rnnzoo.export.writing import write_saved_model

    endpoints["serve"] = {"inputs": input_signature}
    if "translate" in endpoints:
        endpoints["translate"] |= {"beam_width": beam_width, "length_penalty": length_penalty}
        if beam_width > 1:
            endpoints["translate_n_best"]["beam_width"] = beam_width
    module, signatures = make_endpoints(copy, endpoints)
    write_saved_model(module, signatures, filepath)
    if verbose is not False:
        print(f"Exported to {str(filepath)!r}: a SavedModel with the endpoints {', '.join(names)}.")


def _refuse(given: dict[str, bool], what: str) -> None:
    """Refuses the arguments that are given and of no use."""
    for name in filter(given.get, given):
        raise InputError(f"`{name}` is of no use to {what}; leave it out.")
