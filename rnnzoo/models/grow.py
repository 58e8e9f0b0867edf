"""A trained model for a larger vocabulary: what it knew stays, the new tokens get rows."""

import keras
import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.models.base import ZooModel
from rnnzoo.models.language_model import LanguageModel
from rnnzoo.models.seq2seq import Seq2Seq
from rnnzoo.vocabulary import Vocabulary


def grow(
    model: ZooModel,
    vocabulary: Vocabulary | None = None,
    *,
    source_vocabulary: Vocabulary | None = None,
    target_vocabulary: Vocabulary | None = None,
) -> ZooModel:
    """Makes a model like a trained one whose vocabulary has further tokens, to train on.

    Embeddings, and the weights and biases of the last layer, get a row for each new token: the
    mean of the rows that are there, so that a new token starts out as a middling one (Hewitt 2021).
    All other weights are those of the model, and the logits of the old tokens stay what they were;
    their probabilities shrink by what the new tokens take.

    Args:
        model: The trained model, which is not changed.
        vocabulary: The larger vocabulary of a `LanguageModel`, as `Vocabulary.extended` makes it.
        source_vocabulary: That of a `Seq2Seq`; the one it has when left out.
        target_vocabulary: Likewise. Where one vocabulary serves both sides, give the larger one
            for both.

    Returns:
        A new model, built but not compiled.

    Raises:
        InputError: If a vocabulary does not begin with the tokens that the model has, or has other
            rules, or layers of the model were changed since it was built.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> larger = grow(model, model.vocabulary.extended("Ophelia"))
        >>> model.vocabulary_size, larger.vocabulary_size
        (7, 13)

    Reference:
        Hewitt, "Initializing New Word Embeddings for Pretrained Language Models", 2021.
    """
    if isinstance(model, LanguageModel):
        if vocabulary is None or source_vocabulary or target_vocabulary:
            raise InputError("A LanguageModel grows to one `vocabulary`; give that alone.")
        found = {"vocabulary": (model.vocabulary, vocabulary)}
    elif isinstance(model, Seq2Seq):
        if vocabulary is not None or not (source_vocabulary or target_vocabulary):
            raise InputError(
                "A Seq2Seq grows to a `source_vocabulary`, a `target_vocabulary` or both; give one."
            )
        found = {
            "source_vocabulary": (model.source_vocabulary, source_vocabulary),
            "target_vocabulary": (model.target_vocabulary, target_vocabulary),
        }
    else:
        raise InputError(f"A LanguageModel or a Seq2Seq can grow, not a {type(model).__name__}.")
    found = {name: pair for name, pair in found.items() if pair[1] is not None}
    for name, (old, new) in found.items():
        _check_extends(name, old, new)
    changes = {name: keras.saving.serialize_keras_object(new) for name, (_, new) in found.items()}
    config = model.get_config()
    if config.get("changed_layers"):
        raise InputError(
            f"The model {model.name!r} was changed after it was built (its layers "
            f"{', '.join(config['changed_layers'])}: quantize, LoRA, a dtype policy or another "
            "layer); grow a model as it was built, then change it."
        )
    larger = type(model).from_config({**config, **changes})
    if [weight.path for weight in larger.weights] != [weight.path for weight in model.weights]:
        raise InputError(
            f"The model {model.name!r} has other weights than its configuration makes; grow a "
            "model as it was built."
        )
    for new, old in zip(larger.weights, model.weights, strict=True):
        new.assign(_with_rows(keras.ops.convert_to_numpy(old), new.shape))
    return larger


def _check_extends(name, old, new):
    if old is None:
        raise InputError("The model has no vocabulary, so it cannot be told which tokens are new.")
    rules, new_rules = old.get_config(), new.get_config()
    tokens, new_tokens = rules.pop("tokens"), new_rules.pop("tokens")
    if rules != new_rules:
        rule = next(rule for rule in rules if rules[rule] != new_rules[rule])
        raise InputError(
            f"The `{name}` to grow to has another {rule} ({new_rules[rule]!r}) than the model's "
            f"({rules[rule]!r}); make it with `extended`."
        )
    if new_tokens[: len(tokens)] != tokens:
        raise InputError(
            f"The `{name}` to grow to does not begin with the {len(tokens)} tokens that the model "
            "has; make it with `extended`, which keeps them."
        )


def _with_rows(values, shape):
    """Fills an array up to a shape that is longer along one axis, with the mean along it."""
    for axis, size in enumerate(shape):
        if more := size - values.shape[axis]:
            mean = values.mean(axis=axis, keepdims=True, dtype="float32").astype(values.dtype)
            values = np.concatenate([values, np.repeat(mean, more, axis=axis)], axis=axis)
    return values
