"""Callbacks for any training: samples as it goes."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from rnnzoo.errors import InputError, check_positive
from rnnzoo.files import check_output
from rnnzoo.generation.inputs import encode_prompts, encode_sources
from rnnzoo.generation.samplers import get_sampler
from rnnzoo.terminal import write_any_text
from rnnzoo.training.averaging import averaged_weights


class SampleText(keras.callbacks.Callback):
    """Shows what the model writes, while it is trained.

    A language model goes on from the prompts; an encoder-decoder translates them, and a classifier
    finds their labels. Where the optimizer averages the weights (`use_ema`), the averages write.

    Args:
        prompt: A text or a list of texts.
        max_new_tokens: The maximum number of tokens to generate.
        sampler: As for `LanguageModel.generate`. Translation is greedy.
        temperature: As for `LanguageModel.generate`; 0.8 when there is no sampler.
        every_batches: Sample after so many batches, or never within an epoch.
        every_epochs: Sample after so many epochs, or never at their end (`None`).
        path: A file that the samples are added to.
        log_dir: A TensorBoard folder that the samples are added to.
        seed: Makes the samples repeatable.
        references: What the translations or labels should be, a text for each prompt.

    Raises:
        InputError: If a number is not positive, the prompt is empty or `path` cannot be written.

    Example:
        ```python
        model.fit(train, epochs=20, callbacks=[SampleText("ROMEO:", every_batches=500)])
        ```
    """

    # What a resumed training goes on with, and what it does so within an epoch.
    remembered, remembered_within = ("_batches",), ("_epoch_batches",)

    def __init__(
        self,
        prompt: str | Sequence[str],
        *,
        max_new_tokens: int = 200,
        sampler: str | Callable | None = None,
        temperature: float | None = None,
        every_batches: int | None = None,
        every_epochs: int | None = 1,
        path: str | os.PathLike | None = None,
        log_dir: str | os.PathLike | None = None,
        seed: int = 0,
        references: str | Sequence[str] | None = None,
    ):
        super().__init__()
        write_any_text()
        check_positive(
            max_new_tokens=max_new_tokens, every_batches=every_batches, every_epochs=every_epochs
        )
        self.prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not self.prompts or not all(self.prompts):
            raise InputError(f"The prompt of SampleText is empty: {prompt!r}; give some text.")
        self.references = [references] if isinstance(references, str) else references
        self.max_new_tokens = max_new_tokens
        self.sampler = sampler
        self.temperature = 0.8 if sampler is None and temperature is None else temperature
        self.every_batches, self.every_epochs = every_batches, every_epochs
        self.path = None if path is None else _checked(Path(path))
        self.log_dir, self.seed = log_dir, seed
        self._epoch = self._batches = self._epoch_batches = 0
        self._writer = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Checks the prompts and the sampler, which `fit` should not stumble over later.

        Raises:
            InputError: If the model cannot go on from a prompt, translate or classify it, or the
                sampler is none.
        """
        if hasattr(self.model, "classify"):
            self.model.encode(self.prompts)
        elif hasattr(self.model, "translate"):
            encode_sources(self.model, self.prompts)
        elif hasattr(self.model, "generate"):
            get_sampler(self.sampler, self.temperature)
            encode_prompts(self.model, self.prompts)
        else:
            raise InputError(
                f"SampleText shows what a model generates, translates or classifies, but "
                f"{self.model.name!r} does none of these; leave it out."
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Notes the epoch."""
        self._epoch, self._epoch_batches = epoch, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Samples within an epoch."""
        self._batches += 1
        self._epoch_batches += 1
        if self.every_batches and self._batches % self.every_batches == 0:
            self._sample(f"epoch {self._epoch + 1}, batch {self._epoch_batches}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Samples after an epoch."""
        if self.every_epochs and (epoch + 1) % self.every_epochs == 0:
            self._sample(f"after epoch {epoch + 1}")

    def _sample(self, when):
        with averaged_weights(self.model):
            text = self._write()
        block = f"--- sample, {when} ---\n{text}\n"
        print(f"\n{block}", flush=True)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"{block}\n")
        if self.log_dir is not None:
            self._to_tensorboard(text)

    def _write(self):
        if hasattr(self.model, "classify"):
            return self._answers(map(str, self.model.classify(self.prompts)))
        if hasattr(self.model, "translate"):
            return self._answers(
                self.model.translate(self.prompts, max_new_tokens=self.max_new_tokens)
            )
        return self._continuations()

    def _continuations(self):
        written = self.model.generate(
            self.prompts, self.max_new_tokens, sampler=self.sampler,
            temperature=self.temperature, seed=self.seed,
        )  # fmt: skip
        return "\n\n".join(map("".join, zip(self.prompts, written, strict=True)))

    def _answers(self, answers):
        """A text for each prompt, below it; what it should be below that."""
        lines = []
        for index, (prompt, answer) in enumerate(zip(self.prompts, answers, strict=True)):
            lines += [prompt, f"  -> {answer}"]
            if self.references is not None:
                lines.append(f"     (reference: {self.references[index]})")
        return "\n".join(lines)

    def _to_tensorboard(self, text):
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.log_dir))
        # tf.summary.text does the same but needs the package tensorboard to write, too.
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "text"
        with self._writer.as_default():
            tf.summary.write("sample", f"```\n{text}\n```", self._batches, metadata=metadata)
            self._writer.flush()


def _checked(path):
    """The path of a file, if it can be written."""
    check_output(path.parent, megabytes=1, option="`path`")
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        raise InputError(f"The file of samples {path} cannot be written; give another `path`.")
    return path
