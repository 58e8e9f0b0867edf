"""What every model of rnnzoo shares: how it compiles, what it saves, what it keeps to itself."""

import numbers
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import keras
from keras import ops

from rnnzoo.archive import sign
from rnnzoo.errors import InputError
from rnnzoo.evaluation.metrics import TokenLoss
from rnnzoo.export import export
from rnnzoo.files import atomic_path
from rnnzoo.models.built_rates import built_rates
from rnnzoo.models.changed_layers import ChangedLayers
from rnnzoo.models.chunked_loss import ChunkedLoss
from rnnzoo.models.compile_arguments import loss_of_logits, metrics_of_logits
from rnnzoo.models.compiled_functions import CompiledFunctions
from rnnzoo.models.resumed import ResumedFit
from rnnzoo.models.serialized import optimizers_of_any_backend
from rnnzoo.optimizers import adam
from rnnzoo.typing import Tensor
from rnnzoo.vocabulary import Vocabulary

FILE_FORMAT = 4  # goes up when older code can no longer read the configuration of a model
CHANGED_FORMAT = 3  # of a model with changed layers, all of which are trained
PLAIN_FORMAT = 2  # of a model whose layers are as they were built, which older code reads


class ZooModel(ResumedFit, ChangedLayers, CompiledFunctions, ChunkedLoss, keras.Model):
    """A Keras model that saves its vocabularies and compiles with good defaults.

    Subclasses give `default_metric`, the metric that `compile` adds, and `output_size`, the number
    of tokens that they predict, and save their arguments.
    """

    larger_is_better = False  # of the default metric, by which checkpoints are chosen
    padding_id = None  # the id of a target that never counts; none, if None
    sampled_softmax = None  # how many tokens a training step draws; all, exactly, if None

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if self.dtype_policy.quantization_mode:
            raise InputError(
                f"A model is not made quantized (dtype={self.dtype_policy.name!r}); make and train "
                f'it first, then call `quantize("{self.dtype_policy.quantization_mode}")`.'
            )
        self.autocast = False  # inputs are ids and their float32 weights; the layers cast their own

    def default_metric(self) -> keras.metrics.Metric:
        """The metric that fits the model's tokens."""
        raise NotImplementedError

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer | None = None,
        loss: str | Callable | None = None,
        metrics: list[Any] | None = None,
        weighted_metrics: list[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Compiles the model: `keras.Model.compile` with defaults that fit it.

        Args:
            optimizer: As for Keras; when left out `rnnzoo.optimizers.adam` at a rate of 1e-3, with
                gradients clipped to a total norm of 1.
            loss: As for Keras, of logits: Keras's cross-entropies by name read logits. When left
                out, the cross-entropy in nats per token, averaged over the tokens whose weight is
                not zero. Padding has no weight. Over a large vocabulary it is computed a few
                tokens at a time, as long as the metrics are those of `rnnzoo.evaluation` too.
            metrics: As for Keras, of logits. Padding does not count.
            weighted_metrics: As for Keras; perplexity (words) or bits per character when left out.
            **kwargs: As for Keras. `jit_compile` is off on TensorFlow unless requested: XLA has no
                cuDNN kernel, and with it Keras's own models were slower on a CPU than this one is
                without, in every configuration measured (`benchmarks/RESULTS.md`).

        Raises:
            InputError: If the loss or a metric reads something else than logits.

        Example:
            >>> from rnnzoo import char_lstm
            >>> model = char_lstm(65, units=8)
            >>> model.compile(optimizer="adam")
            >>> type(model.optimizer).__name__
            'Adam'
        """
        if optimizer is None:
            optimizer = adam(1e-3, global_clipnorm=1.0)
        if loss is None:
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            )
        loss = loss_of_logits(loss)
        sparse = not isinstance(loss, keras.losses.CategoricalCrossentropy)
        metrics = metrics_of_logits(metrics, sparse)
        own = [metric for metric in metrics if isinstance(metric, TokenLoss)]  # these take weights
        metrics = [metric for metric in metrics if metric not in own] or None
        if weighted_metrics is None and not own:
            weighted_metrics = [self.default_metric()]
        weighted_metrics = [*own, *metrics_of_logits(weighted_metrics, sparse)]
        if keras.config.backend() == "tensorflow":
            kwargs.setdefault("jit_compile", False)
        self._choose_loss(loss, metrics, weighted_metrics, kwargs=kwargs)
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)  # so that its state saves and loads

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model as it was when it was saved, for the backend that now runs."""
        optimizers_of_any_backend(config)
        config = keras.saving.deserialize_keras_object(config)
        config.pop("jit_compile", None)  # False from TensorFlow would take the compiler from JAX
        try:
            self.compile(**config)
        except InputError as error:  # an old file may hold a loss that is refused now
            warnings.warn(f"The model is loaded, but not compiled: {error}", stacklevel=2)

    def save(
        self,
        filepath: str | os.PathLike,
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Saves the model, with its vocabularies, to a `.keras` file: whole or not at all.

        A digest of the file stands at its end, by which `rnnzoo.load` finds what was altered.

        Args:
            filepath: The file; one that exists is replaced once the new one is complete.
            overwrite: As for `keras.Model.save`.
            zipped: `False` for a folder, which `rnnzoo.load` reads too, instead of a file.
            **kwargs: As for `keras.Model.save`.

        Raises:
            InputError: If the file cannot be written.

        Example:
            >>> from rnnzoo import char_lstm, load
            >>> char_lstm(65, units=8).save("romeo.keras")
            >>> load("romeo.keras").count_params()
            2193
        """
        self._renew_optimizer()
        path = Path(filepath)
        if path.suffix != ".keras" and zipped is not False:
            raise InputError(
                f"A model is saved to a .keras file, which `rnnzoo.load` reads, not to "
                f"{str(filepath)!r}; give a name that ends in .keras, or `save_weights` one that "
                "ends in .weights.h5."
            )
        if path.suffix == ".keras" and zipped is False:
            raise InputError(
                f"With zipped=False a model is saved to a folder, whose name must not end in "
                f".keras as {str(filepath)!r} does; give another name, or leave out `zipped`."
            )
        whole = path.suffix == ".keras" and "://" not in str(filepath)
        if not whole or (path.exists() and not overwrite):
            with built_rates(self):
                return super().save(filepath, overwrite, zipped, **kwargs)
        try:
            with atomic_path(path) as temporary:
                with built_rates(self):
                    super().save(temporary, True, zipped, **kwargs)
                sign(temporary)
        except OSError as error:
            raise InputError(
                f"The model cannot be saved to {str(path)!r} ({error.strerror or error}); give a "
                "file in a folder that exists, may be written to and has free space."
            ) from error

    def save_weights(
        self, filepath: str | os.PathLike, overwrite: bool = True, **kwargs: Any
    ) -> None:
        """Saves the weights alone: `keras.Model.save_weights`, to a name that can be loaded.

        Args:
            filepath: A file that ends in `.weights.h5`, or with `max_shard_size` in
                `.weights.json`.
            overwrite: As for `keras.Model.save_weights`.
            **kwargs: As for `keras.Model.save_weights`.

        Raises:
            InputError: If the name ends otherwise, or the file cannot be written.

        Example:
            >>> from rnnzoo import char_lstm
            >>> model = char_lstm(65, units=8)
            >>> model.save_weights("romeo.weights.h5")
            >>> model.load_weights("romeo.weights.h5")
        """
        ending = ".weights.h5" if kwargs.get("max_shard_size") is None else ".weights.json"
        if not str(filepath).endswith(ending):
            raise InputError(
                f"Weights are saved to a file that ends in {ending}, which `load_weights` reads, "
                f"not to {str(filepath)!r}; give such a name, or `save` the model to a .keras file."
            )
        try:
            super().save_weights(filepath, overwrite, **kwargs)
        except OSError as error:
            raise InputError(
                f"The weights cannot be saved to {str(filepath)!r} ({error.strerror or error}); "
                "give a file in a folder that exists, may be written to and has free space."
            ) from error

    def export(
        self,
        filepath: str | os.PathLike,
        format: str | None = None,
        verbose: bool | None = None,
        input_signature: list[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        r"""Exports the model, as a SavedModel with text in and text out where it has vocabularies.

        `tf.saved_model.load` alone runs the SavedModel, without rnnzoo or Keras. It computes in
        float32 and holds no cuDNN kernel, so that it runs on any machine. Its endpoints, each a
        method and a signature; `docs/deploy.md` has their inputs and outputs:

        - `generate(prompt, ...)` of a language model: strings `(batch,)` to their continuations, by
          any sampler. A seed repeats its draws; they differ from those of `LanguageModel.generate`.
        - `next_tokens(prompt, k=10)`: the likeliest next tokens and their probabilities.
        - `translate(text)` of an encoder-decoder: strings `(batch,)` to strings `(batch,)`.
        - `translate_n_best(text, length_penalty=0.6)`: the best translations, with scores and
          attention weights.
        - `classify(text)` of a text classifier: the `"label"` of each text, and all `"labels"` with
          their `"probabilities"`.
        - `score(text)`, or `score(source, target)`: `{"nats", "tokens"}`, the negative
          log-probability of each text, float32 `(batch,)`, and how many tokens it has, int32
          `(batch,)`; the perplexity is `exp(sum(nats) / sum(tokens))`. A text is read from the zero
          state, after the start token and up to the end token, where the vocabulary has these;
          without a start token the first symbol is given, not predicted.
        - `start(prompt)` or `start(text)`, `start_tokens` of ids, `step(tokens, state)` and
          `decode(tokens)`: a text token by token, with the state in the open.
        - `serve(tokens)`, or `serve({"source", "target"})`: ids to logits, as Keras exports it.

        The default signature is `generate` with its defaults, or `translate`, and takes the texts
        alone. A signature has no defaults: `generate` takes the first four inputs, `sample` all.

        A `filepath` that ends in .html becomes a single page instead, which writes or translates in
        any browser, offline (`docs/html_page.md`).

        The formats `"onnx"` and `"litert"` fill the folder with the step as a network, state in
        and state out, a translator's encoder, `vocabulary.json`, and an example that does without
        rnnzoo and Keras (`docs/exports.md`). A `filepath` that ends in .onnx or .tflite becomes a
        file with the step of a language model alone.

        Args:
            filepath: The folder to write; an export of the same format that is there already is
                replaced.
            format: `"tf_saved_model"`, `"onnx"` or `"litert"`; when left out what the suffix of
                `filepath` says, a SavedModel where there is none. Other formats, and `"onnx"` and
                `"litert"` of models without vocabularies, are Keras's: ids to logits.
            verbose: Whether to print what was written; `True` when left out.
            input_signature: As for `keras.Model.export`, for `serve`; any batch and length when
                left out.
            **kwargs: Of a page, `weights`, `title` and `prompt`, as in `rnnzoo.export.html`. Of
                ONNX and LiteRT, `weights`: `"float32"` or `"int8"`, a quarter as large. Of a
                SavedModel, `use_cudnn=True` lets cuDNN into the graph where this machine has a
                GPU: the export then runs on GPUs only. `beam_width` and `length_penalty` set the
                search of `translate`, as in `Seq2Seq.translate`; `translate_n_best` follows as
                many beams, or five where there is one. The rest goes to `keras.Model.export`.

        Raises:
            InputError: If something else is at `filepath`, it cannot be written, the format cannot
                hold the model, a package is missing, or Keras does not run on TensorFlow, which
                SavedModels of text and LiteRT need.

        Example:
            ```python
            model.export("romeo")

            # In another process, without rnnzoo:
            romeo = tf.saved_model.load("romeo")
            romeo.generate(tf.constant(["ROMEO:", "JULIET:"]), max_new_tokens=300, temperature=0.8)
            ```
            On the command line:
            ```
            saved_model_cli show --all --dir romeo
            saved_model_cli run --dir romeo --tag_set serve --signature_def serving_default \
                --input_exprs 'prompt=["ROMEO:"]'
            saved_model_cli run --dir romeo --tag_set serve --signature_def generate \
                --input_exprs 'prompt=["ROMEO:"];max_new_tokens=300;temperature=0.8;seed=1'
            ```
        """
        export(self, filepath, format, verbose=verbose, input_signature=input_signature, **kwargs)

    def export_endpoints(self) -> dict[str, dict[str, Any]]:
        """Returns what an export of this model can do, and what each endpoint is made of.

        Returns:
            The names of endpoints in `rnnzoo.export`, the default one first, with their arguments;
            `serve`, ids to logits, is always one of them.
        """
        return {"serve": {"inputs": keras.InputSpec("int32", (None, None))}}

    def get_config(self) -> dict[str, Any]:
        """The format of the file; subclasses add the arguments that remake the model."""
        config = {**super().get_config(), "file_format": PLAIN_FORMAT}
        changes, trainable = self._changes(), self._trainable_layers()
        if changes:
            config.update(file_format=CHANGED_FORMAT, changed_layers=changes)
        if trainable:
            config.update(file_format=FILE_FORMAT, trainable_layers=trainable)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Remakes a model from its configuration.

        Raises:
            InputError: If the configuration was written by a newer rnnzoo.
        """
        config = dict(config)
        file_format = config.pop("file_format", None)
        if file_format is None or file_format > FILE_FORMAT:
            raise InputError(
                f"The model has file format {file_format}, and this rnnzoo reads formats up to "
                f"{FILE_FORMAT}; upgrade it to load the model."
            )
        changes, trainable = config.pop("changed_layers", {}), config.pop("trainable_layers", {})
        for name, value in config.items():
            if isinstance(value, dict) and "class_name" in value:
                config[name] = keras.saving.deserialize_keras_object(value)
        model = cls(**config)
        model._change_again(changes, trainable)
        return model

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Does nothing: the constructor has built the model."""


def vocabulary_and_size(vocabulary: Vocabulary | int) -> tuple[Vocabulary | None, int]:
    """Reads the first argument of a builder: a `Vocabulary`, or a number of ids.

    Returns:
        The vocabulary, or `None`, and the number of ids.

    Raises:
        InputError: If it is neither, or has fewer than two ids.
    """
    if isinstance(vocabulary, Vocabulary):
        if len(vocabulary) < 2:
            raise InputError(
                f"The vocabulary must have at least 2 tokens, not {len(vocabulary)}; make it from "
                "a text with more different symbols."
            )
        return vocabulary, len(vocabulary)
    whole = isinstance(vocabulary, numbers.Integral) and not isinstance(vocabulary, bool)
    if not whole or vocabulary < 2:
        raise InputError(
            "The vocabulary must be an rnnzoo.Vocabulary or a number of ids of at least 2, not "
            f"{vocabulary!r}."
        )
    return None, int(vocabulary)


def padding_mask(length: int | Tensor, lengths: Tensor) -> Tensor:
    """`True` at the real steps of right-padded rows: boolean `(batch, length)`."""
    return ops.arange(length) < ops.expand_dims(ops.cast(lengths, "int32"), -1)
