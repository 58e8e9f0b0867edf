"""Word language models of WikiText-2."""

from dataclasses import replace

from rnnzoo.recipes.registry import register
from rnnzoo.tasks import LanguageModelRecipe

WORD_LM_WIKITEXT2 = register(
    LanguageModelRecipe(
        name="word_lm_wikitext2",
        description="A word LSTM of WikiText-2 with its standard 33,278 tokens.",
        corpus="wikitext_2",
        vocabulary={
            "level": "word",
            "punctuation": "whitespace",
            "keep_line_breaks": True,
            "special_tokens": ("<unk>",),
        },
        builder="word_lm",
        builder_options={
            "units": 640,
            "num_layers": 2,
            "embedding_dim": 384,
            "tie_embedding_weights": True,
            "dropout": 0.4,
            "locked_dropout": True,
            "weight_drop": 0.4,
            "embedding_dropout": 0.1,
        },
        batch_size=32,
        sequence_length=70,
        validation_batch_size=8,
        reset_probability=0.01,
        epochs=30,
        learning_rate=2e-3,
        weight_decay=0.02,
        clipnorm=0.5,
        average_weights=0.999,
        prompts=("The game was", "In the early 20th century ,"),
        sample_length=60,
        sample_every_batches=2000,
        limits="It knows the 33,277 words of WikiText-2 and line ends; any other word is unknown.",
    )
)

register(
    replace(
        WORD_LM_WIKITEXT2,
        name="word_lm_wikitext2_tiny",
        description="A word LSTM of WikiText-2 that is small, to try things out.",
        builder_options={"units": 8, "embedding_dim": 8, "tie_embedding_weights": True},
        batch_size=8,
        sequence_length=16,
        validation_batch_size=None,
        reset_probability=0.0,
        epochs=2,
        learning_rate=1e-2,
        warmup_steps=5,
        average_weights=None,
        prompts=("the film",),
        sample_length=10,
        sample_every_batches=None,
        limits="",
    )
)
