"""A vocabulary and its rules as data, for programs that do without rnnzoo."""

from typing import Any

import keras
from keras import ops

from rnnzoo.vocabulary import Vocabulary, spacing, subwords, text_rules

FORMAT = 1  # of the file; a change that a reader must know of gets the next number


def describe_model(model: keras.Model) -> dict[str, Any]:
    """Describes what a program needs to know of a model beside its networks.

    Args:
        model: A language model or a translator, with vocabularies.

    Returns:
        What `vocabulary.json` of an export holds; `docs/exports.md` explains it.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> described = describe_model(char_lstm(Vocabulary(["a", "b"]), units=2, num_layers=1))
        >>> described["end_id"], described["initial_state"]
        (None, [[0.0, 0.0], [0.0, 0.0]])
    """
    rules = model.decodable().rules
    described = {
        "format": FORMAT,
        "start_id": rules.start_id,
        "end_id": rules.end_id,
        "suppressed_ids": list(rules.suppressed_ids),
    }
    if "translate" in model.export_endpoints():
        described["source_vocabulary"] = describe_vocabulary(model.source_vocabulary)
        described["target_vocabulary"] = describe_vocabulary(model.target_vocabulary)
        return described
    state = [ops.convert_to_numpy(ops.cast(each, "float32")) for each in model.get_initial_state(1)]
    described["vocabulary"] = describe_vocabulary(model.vocabulary)
    described["initial_state"] = [each[0].tolist() for each in state]
    return described


def describe_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    r"""Describes how a vocabulary turns text into ids and back.

    The patterns are those of `text_rules` and `subwords`: Python, RE2 and JavaScript read them
    alike, but for the `\1` of a replacement, which JavaScript writes `$1`.

    Args:
        vocabulary: The vocabulary.

    Returns:
        The description, fit for JSON; `docs/exports.md` explains its fields.

    Example:
        >>> describe_vocabulary(Vocabulary(["a", "b"]))["level"]
        'character'
    """
    punctuation, lines = vocabulary.punctuation, vocabulary.keep_line_breaks
    described = vocabulary.get_config() | {
        "pad": vocabulary.pad_id,
        "start": vocabulary.start_id,
        "unknown": vocabulary.unknown_id,
        "end": vocabulary.end_id,
        "deleted": text_rules.DELETED if punctuation == "delete" else None,
    }
    if vocabulary.level == "word":
        described["token"] = text_rules.token(punctuation, lines)
        described["line_break"] = text_rules.LINE_BREAK
        if punctuation == "split":
            described["classes"] = "".join(map(spacing.token_class, vocabulary.tokens))
            described["passes"] = list(spacing.PASSES)
            described["spacing"] = {
                "none_after": spacing.NONE_AFTER,
                "none_before": spacing.NONE_BEFORE,
                "alone": spacing.ALONE,
                "dots": spacing.DOTS,
            }
        if punctuation == "split_1":
            described["attachments"] = list(text_rules.ATTACHMENTS)
    if vocabulary.level == "subword":
        steps, unit = subwords.patterns(punctuation, lines)
        described |= {
            "steps": list(steps),
            "token": unit,
            "line_break": subwords.LINE_START,
            "space": subwords.SPACE,
            "longest": subwords.LONGEST_UNIT,
        }
    return described
