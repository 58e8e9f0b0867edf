"""Character language models of a single text."""

from dataclasses import replace

from rnnzoo.recipes.registry import register
from rnnzoo.tasks import LanguageModelRecipe

CHAR_LSTM_SHAKESPEARE = register(
    LanguageModelRecipe(
        name="char_lstm_shakespeare",
        description="A character LSTM of tiny Shakespeare (Karpathy 2015).",
        corpus="tiny_shakespeare",
        builder="char_lstm",
        builder_options={"units": 512, "num_layers": 2, "dropout": 0.4, "weight_drop": 0.2},
        batch_size=32,
        sequence_length=64,
        validation_split=0.1,
        validation_batch_size=16,
        reset_probability=0.2,
        epochs=20,
        learning_rate=3e-3,
        weight_decay=0.1,
        prompts=("ROMEO:",),
        expected="1.393 nats per character on the last 10 % after 39 minutes on one core.",
        limits="It spells and sets out scenes as the plays do; its sentences seldom make sense. "
        "The recipe, not the checkpoint alone, was tried out on the text that it is measured on.",
    )
)

CHAR_LSTM_SHAKESPEARE_SMALL = register(
    replace(
        CHAR_LSTM_SHAKESPEARE,
        name="char_lstm_shakespeare_small",
        description="A character LSTM of tiny Shakespeare with less than a million parameters.",
        builder_options={"units": 256, "num_layers": 2, "dropout": 0.2},
        epochs=16,
        expected="1.423 nats per character on the last 10 % after 11 minutes on one core.",
    )
)

register(
    replace(
        CHAR_LSTM_SHAKESPEARE,
        name="char_lstm_shakespeare_distilled",
        description="A character LSTM of tiny Shakespeare that three others teach.",
        teachers=(
            "char_lstm_shakespeare",
            "char_lstm_shakespeare_small",
            "char_lstm_shakespeare_small_distilled",
        ),
        expected="1.397 nats per character on the last 10 %, no better than without teachers.",
    )
)

register(
    replace(
        CHAR_LSTM_SHAKESPEARE_SMALL,
        name="char_lstm_shakespeare_small_distilled",
        description="A character LSTM of tiny Shakespeare with less than a million parameters that "
        "two others teach.",
        teachers=("char_lstm_shakespeare", "char_lstm_shakespeare_small"),
        expected="1.410 nats per character on the last 10 % after 37 minutes on one slow core.",
    )
)

register(
    replace(
        CHAR_LSTM_SHAKESPEARE,
        name="char_lstm_alice",
        description="A character LSTM of Alice in Wonderland, which is short: it soon overfits.",
        corpus="alice",
        builder_options={"units": 256, "num_layers": 2, "dropout": 0.5},
        epochs=40,
        patience=5,
        prompts=("Alice ",),
        expected="",
        limits="",
    )
)

register(
    replace(
        CHAR_LSTM_SHAKESPEARE,
        name="char_lstm_tiny",
        description="A character LSTM that trains in seconds, to try things out.",
        builder_options={"units": 16, "num_layers": 1},
        batch_size=8,
        sequence_length=16,
        validation_batch_size=None,
        reset_probability=0.0,
        epochs=2,
        warmup_steps=5,
        prompts=("a",),
        sample_length=40,
        expected="",
        limits="",
    )
)
