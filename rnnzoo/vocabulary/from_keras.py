"""What a Keras layer that looks words up says about a vocabulary."""

from typing import Any

import keras

from rnnzoo.errors import InputError

# standardize of TextVectorization -> lowercase, punctuation
_STANDARDS = {
    None: (False, "whitespace"),
    "lower": (True, "whitespace"),
    "strip_punctuation": (False, "delete"),
    "lower_and_strip_punctuation": (True, "delete"),
}


def arguments_of(
    layer: keras.layers.Layer,
    *,
    level: str | None,
    lowercase: bool | None,
    punctuation: str | None,
) -> dict[str, Any]:
    """Returns the arguments of the `Vocabulary` that a layer has; see `Vocabulary.from_keras`."""
    if isinstance(layer, keras.layers.TextVectorization):
        config, lookup = layer.get_config(), layer._lookup_layer
        _check_ids(
            layer,
            output_mode=config.get("output_mode"),
            ngrams=config.get("ngrams"),
            split=config.get("split"),
        )
        level = level or ("character" if config["split"] == "character" else "word")
        standard = config["standardize"]
        known = _STANDARDS.get(standard) if not callable(standard) else None
        if known is None and (lowercase is None or punctuation is None):
            raise InputError(
                f"The layer {layer.name!r} standardizes texts by a function of its own, which a "
                "vocabulary cannot keep; say what comes nearest with `lowercase=` and "
                "`punctuation=`."
            )
        found = known or (lowercase, punctuation)
    elif isinstance(layer, keras.layers.StringLookup):
        lookup, found = layer, (False, "whitespace")
        _check_ids(layer, output_mode=layer.output_mode, ngrams=None, split=None)
        if layer.invert:
            raise InputError(f"The layer {layer.name!r} inverts ids; give the one that makes them.")
    else:
        raise InputError(
            "A vocabulary is made from a TextVectorization or a StringLookup of Keras, not from "
            f"{type(layer).__name__}."
        )
    if lookup.num_oov_indices > 1:
        raise InputError(
            f"The layer {layer.name!r} has {lookup.num_oov_indices} ids for unknown words; a "
            "vocabulary has one, so make the layer with `num_oov_indices=1`."
        )
    special = {lookup.mask_token: "<pad>", lookup.oov_token: "<unk>"}
    tokens = lookup.get_vocabulary()
    first = 2 if lookup.mask_token is not None else 1
    tokens = [
        special.get(token, str(token)) if place < first else str(token)
        for place, token in enumerate(tokens)
    ]
    if len(tokens) < 3:
        raise InputError(f"The layer {layer.name!r} has no words yet; call its `adapt` first.")
    if level is None:
        ordinary = set(tokens) - set(special.values())
        level = "character" if all(len(token) == 1 for token in ordinary) else "word"
    return {
        "tokens": tokens,
        "level": level,
        "lowercase": found[0] if lowercase is None else lowercase,
        "punctuation": found[1] if punctuation is None else punctuation,
    }


def _check_ids(layer, *, output_mode, ngrams, split):
    if output_mode != "int":
        raise InputError(
            f"The layer {layer.name!r} has the output_mode {output_mode!r}; a vocabulary needs "
            'ids, so make it with `output_mode="int"`.'
        )
    if ngrams or split not in (None, "whitespace", "character"):
        what = f"{ngrams}-grams" if ngrams else f"the split {split!r}"
        raise InputError(
            f"The layer {layer.name!r} makes {what}, which a vocabulary cannot follow; it cuts at "
            "white space or into characters."
        )
