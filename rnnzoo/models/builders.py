"""The builders: from a vocabulary and a few sizes to a model."""

from collections.abc import Sequence
from typing import Any

from rnnzoo.errors import InputError, check_keras_arguments, check_positive
from rnnzoo.models.language_model import LanguageModel
from rnnzoo.models.seq2seq import Seq2Seq
from rnnzoo.models.text_classifier import TextClassifier
from rnnzoo.vocabulary import Vocabulary


def char_lstm(
    vocabulary: Vocabulary | int,
    *,
    units: int | Sequence[int] = 512,
    num_layers: int | None = None,
    cell: str = "lstm",
    embedding_dim: int | None = None,
    dropout: float = 0.0,
    tie_embedding_weights: bool = False,
    locked_dropout: bool = False,
    weight_drop: float = 0.0,
    trainable_initial_state: bool = False,
    block: str = "plain",
    expansion: float = 1.5,
    activation_regularization: float = 0.0,
    temporal_regularization: float = 0.0,
    name: str = "char_lstm",
    **kwargs: Any,
) -> LanguageModel:
    """Builds a character language model: it writes text one character at a time.

    Args:
        vocabulary: A `Vocabulary` of characters, or a number of ids.
        units: Size of the recurrent state, one number or one per layer.
        num_layers: Number of recurrent layers, 2 when left out; as many as `units` lists.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a character's embedding; at most 128 when left out, since there
            are few characters, but `units`, the width of the stream, for residual blocks.
        dropout: Rate of the dropout on the output of each recurrent layer; 0.5 suits a text of a
            megabyte.
        tie_embedding_weights: Whether the output scores characters by their input embeddings.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        weight_drop: Rate of the dropout on the recurrent matrices, which keeps the fast kernels.
        trainable_initial_state: Whether the recurrent state before the first token is learnt.
        block: `"plain"`, or `"residual"` for norms and a gated feed-forward layer around each
            recurrent layer; `dropout` then stands behind the norms. See
            `rnnzoo.layers.ResidualBlock`.
        expansion: Inner width of a residual block's feed-forward layer, in `units`.
        activation_regularization: In training, what the mean square of the last recurrent outputs
            counts for in the loss (AR; Merity et al. 2018); 2 is usual.
        temporal_regularization: The same of their change from step to step (TAR); 1 is usual.
        name: Name of the model.
        **kwargs: What every `keras.Model` takes, such as `dtype`.

    Returns:
        A `LanguageModel`, built but not compiled.

    Raises:
        InputError: If a size, rate or name is not valid.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> vocabulary = Vocabulary.from_text("to be or not to be")
        >>> char_lstm(vocabulary, units=16).vocabulary_size
        7
        >>> char_lstm(vocabulary, units=16, num_layers=1, cell="gru").count_params()
        1863

    Reference:
        Graves, "Generating Sequences With Recurrent Neural Networks", arXiv:1308.0850; Karpathy,
        "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015.
    """
    check_keras_arguments(char_lstm, kwargs)
    if isinstance(vocabulary, Vocabulary) and vocabulary.level != "character":
        raise InputError(
            f"char_lstm reads characters, and the vocabulary is of level {vocabulary.level!r}; "
            "take word_lm, or a vocabulary of characters."
        )
    sizes = units if isinstance(units, list | tuple) else [units]
    if sizes is not units and num_layers is None:
        num_layers = 2
    if embedding_dim is None and sizes:
        check_positive(units=sizes[0])
        embedding_dim = sizes[0] if block == "residual" else min(sizes[0], 128)
    return LanguageModel(
        vocabulary,
        units=units,
        num_layers=num_layers,
        cell=cell,
        embedding_dim=embedding_dim,
        dropout=dropout,
        tie_embedding_weights=tie_embedding_weights,
        locked_dropout=locked_dropout,
        weight_drop=weight_drop,
        trainable_initial_state=trainable_initial_state,
        block=block,
        expansion=expansion,
        activation_regularization=activation_regularization,
        temporal_regularization=temporal_regularization,
        name=name,
        **kwargs,
    )


def word_lm(
    vocabulary: Vocabulary | int,
    *,
    units: int | Sequence[int] = 512,
    num_layers: int | None = None,
    cell: str = "lstm",
    embedding_dim: int = 256,
    dropout: float = 0.0,
    tie_embedding_weights: bool = True,
    locked_dropout: bool = False,
    weight_drop: float = 0.0,
    embedding_dropout: float = 0.0,
    sampled_softmax: int | None = None,
    trainable_initial_state: bool = False,
    block: str = "plain",
    expansion: float = 1.5,
    activation_regularization: float = 0.0,
    temporal_regularization: float = 0.0,
    name: str = "word_lm",
    **kwargs: Any,
) -> LanguageModel:
    """Builds a word language model.

    Args:
        vocabulary: A `Vocabulary` of words, or a number of ids.
        units: Size of the recurrent state, one number or one per layer.
        num_layers: Number of recurrent layers, 1 when left out; as many as `units` lists.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a word's embedding.
        dropout: Rate of the dropout on the output of each recurrent layer.
        tie_embedding_weights: Whether the output scores words by their input embeddings, which
            halves the parameters and helps (Press and Wolf 2017).
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        weight_drop: Rate of the dropout on the recurrent matrices, which keeps the fast kernels.
        embedding_dropout: Rate of the dropout of whole words.
        sampled_softmax: How many words a training step of `fit` scores beside the right one; all,
            exactly, when left out. The training perplexity shown is then far too good; the one of
            the validation is exact.
        trainable_initial_state: Whether the recurrent state before the first token is learnt.
        block: `"plain"`, or `"residual"` for norms and a gated feed-forward layer around each
            recurrent layer; `dropout` then stands behind the norms. See
            `rnnzoo.layers.ResidualBlock`.
        expansion: Inner width of a residual block's feed-forward layer, in `units`.
        activation_regularization: In training, what the mean square of the last recurrent outputs
            counts for in the loss (AR; Merity et al. 2018); 2 is usual.
        temporal_regularization: The same of their change from step to step (TAR); 1 is usual.
        name: Name of the model.
        **kwargs: What every `keras.Model` takes, such as `dtype`.

    Returns:
        A `LanguageModel`, built but not compiled.

    Raises:
        InputError: If a size, rate or name is not valid.

    Example:
        >>> word_lm(10_000, units=64, embedding_dim=32).count_params()
        356912

    Reference:
        Zaremba, Sutskever and Vinyals, "Recurrent Neural Network Regularization",
        arXiv:1409.2329.
    """
    check_keras_arguments(word_lm, kwargs)
    return LanguageModel(
        vocabulary,
        units=units,
        num_layers=num_layers,
        cell=cell,
        embedding_dim=embedding_dim,
        dropout=dropout,
        tie_embedding_weights=tie_embedding_weights,
        locked_dropout=locked_dropout,
        weight_drop=weight_drop,
        embedding_dropout=embedding_dropout,
        sampled_softmax=sampled_softmax,
        trainable_initial_state=trainable_initial_state,
        block=block,
        expansion=expansion,
        activation_regularization=activation_regularization,
        temporal_regularization=temporal_regularization,
        name=name,
        **kwargs,
    )


def gru_seq2seq(
    source_vocabulary: Vocabulary | int,
    target_vocabulary: Vocabulary | int,
    *,
    units: int = 256,
    num_layers: int = 1,
    cell: str = "gru",
    embedding_dim: int | None = None,
    attention: str | None = "bahdanau",
    attention_position: str = "before_cell",
    bidirectional: bool | str = True,
    dropout: float = 0.0,
    tie_embedding_weights: bool | str = False,
    locked_dropout: bool = False,
    trainable_initial_state: bool = False,
    block: str = "plain",
    expansion: float = 1.5,
    name: str = "gru_seq2seq",
    **kwargs: Any,
) -> Seq2Seq:
    """Builds a GRU encoder-decoder with Bahdanau attention, for instance to translate.

    Args:
        source_vocabulary: A `Vocabulary` with padding, or a number of ids.
        target_vocabulary: A `Vocabulary` with padding, start and end, or a number of ids.
        units: Size of the recurrent states, and of the attention's space.
        num_layers: Number of recurrent layers on each side.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a token's embedding; `units` when left out.
        attention: `"bahdanau"` or `None`.
        attention_position: `"before_cell"` (Bahdanau et al. 2015, a loop) or `"after_cell"` (the
            decoder's GRU runs at once, in cuDNN on a GPU).
        bidirectional: `True`, `False`, or how to merge: `"concat"`, `"sum"`, `"mul"`.
        dropout: Rate of the dropout on embeddings and on the output of each recurrent layer.
        tie_embedding_weights: `True` ties the output to the decoder's embeddings, `"all"` the
            encoder's embeddings too, for equal vocabularies.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        trainable_initial_state: Whether the encoder's state before the first token is learnt; the
            decoder starts from the encoder's last.
        block: `"plain"`, or `"residual"` for norms and a gated feed-forward layer around each
            recurrent layer; `dropout` then stands behind the norms. See
            `rnnzoo.layers.ResidualBlock`.
        expansion: Inner width of a residual block's feed-forward layer, in widths of its stream.
        name: Name of the model.
        **kwargs: What every `keras.Model` takes, such as `dtype`.

    Returns:
        A `Seq2Seq`, built but not compiled.

    Raises:
        InputError: If a size, rate or name is not valid.

    Example:
        >>> gru_seq2seq(20, 12, units=8).decoder.attention_position
        'before_cell'
        >>> gru_seq2seq(20, 12, units=8, attention=None, cell="lstm").decoder.attention is None
        True

    Reference:
        Bahdanau, Cho and Bengio, ICLR 2015 (arXiv:1409.0473).
    """
    check_keras_arguments(gru_seq2seq, kwargs)
    return Seq2Seq(
        source_vocabulary,
        target_vocabulary,
        units=units,
        num_layers=num_layers,
        cell=cell,
        embedding_dim=embedding_dim,
        attention=attention,
        attention_position=attention_position,
        bidirectional=bidirectional,
        dropout=dropout,
        tie_embedding_weights=tie_embedding_weights,
        locked_dropout=locked_dropout,
        trainable_initial_state=trainable_initial_state,
        block=block,
        expansion=expansion,
        name=name,
        **kwargs,
    )


def text_classifier(
    vocabulary: Vocabulary | int,
    labels: Sequence[str],
    *,
    units: int | Sequence[int] = 256,
    num_layers: int | None = None,
    cell: str = "lstm",
    embedding_dim: int | None = None,
    head_units: int = 50,
    head_dropout: float = 0.1,
    dropout: float = 0.0,
    locked_dropout: bool = False,
    weight_drop: float = 0.0,
    embedding_dropout: float = 0.0,
    trainable_initial_state: bool = False,
    block: str = "plain",
    expansion: float = 1.5,
    name: str = "text_classifier",
    **kwargs: Any,
) -> TextClassifier:
    """Builds a classifier of texts: recurrent layers, their outputs pooled over time, two layers.

    `TextClassifier.from_language_model` makes one that starts from a trained language model.

    Args:
        vocabulary: A `Vocabulary` whose id 0 is `"<pad>"`, or a number of ids, 0 padding.
        labels: The names of the labels, at least two.
        units: Size of the recurrent state, one number or one per layer.
        num_layers: Number of recurrent layers, 1 when left out; as many as `units` lists.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a token's embedding; `units` of the first layer when left out.
        head_units: Size of the layer between the pooled outputs and the labels.
        head_dropout: Rate of the dropout before the two layers of the head.
        dropout: Rate of the dropout on the output of each recurrent layer.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        weight_drop: Rate of the dropout on the recurrent matrices, which keeps the fast kernels.
        embedding_dropout: Rate of the dropout of whole tokens.
        trainable_initial_state: Whether the recurrent state before the first token is learnt.
        block: `"plain"`, or `"residual"` for norms and a gated feed-forward layer around each
            recurrent layer; `dropout` then stands behind the norms. See
            `rnnzoo.layers.ResidualBlock`.
        expansion: Inner width of a residual block's feed-forward layer, in `units`.
        name: Name of the model.
        **kwargs: What every `keras.Model` takes, such as `dtype`.

    Returns:
        A `TextClassifier`, built but not compiled.

    Raises:
        InputError: If a size, rate or name is not valid.

    Example:
        >>> model = text_classifier(10_000, ("negative", "positive"), units=64, embedding_dim=32)
        >>> model.count_params()
        354584

    Reference:
        Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018
        (arXiv:1801.06146).
    """
    check_keras_arguments(text_classifier, kwargs)
    return TextClassifier(
        vocabulary,
        labels=labels,
        units=units,
        num_layers=num_layers,
        cell=cell,
        embedding_dim=embedding_dim,
        head_units=head_units,
        head_dropout=head_dropout,
        dropout=dropout,
        locked_dropout=locked_dropout,
        weight_drop=weight_drop,
        embedding_dropout=embedding_dropout,
        trainable_initial_state=trainable_initial_state,
        block=block,
        expansion=expansion,
        name=name,
        **kwargs,
    )
