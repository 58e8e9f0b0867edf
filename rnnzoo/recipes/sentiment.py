"""Classifiers of film reviews, on top of a language model of reviews."""

from dataclasses import replace

from rnnzoo.recipes.registry import register
from rnnzoo.tasks import ClassificationRecipe

SENTIMENT = register(
    ClassificationRecipe(
        name="sentiment_imdb",
        description="A classifier of film reviews, negative or positive, that starts from "
        "word_lm_imdb.",
        corpus="imdb_sentiment",
        language_model="word_lm_imdb",
        builder_options={
            "dropout": 0.3,
            "locked_dropout": True,
            "weight_drop": 0.3,
            "embedding_dropout": 0.05,
            "head_dropout": 0.2,
        },
        batch_size=64,
        sequence_length=300,
        validation_batch_size=16,
        epochs=3,
        learning_rate=2e-3,
        rate_decay=2.6,
        unfreeze_epochs=0.25,
        prompts=(
            "one of the best films of the year",
            "two hours of my life that i will never get back",
            "it has its moments, but it is far too long",
        ),
        expected="92.8 % of the 25,000 test reviews right after 73 minutes on a slow processor.",
        limits="It knows lower-case words without punctuation, and of these the 10,000 most "
        "frequent, some 94 % of a review.",
    )
)

register(
    replace(
        SENTIMENT,
        name="sentiment_tiny",
        description="A classifier of reviews that trains in seconds, to try things out.",
        language_model=None,
        vocabulary={"level": "word", "lowercase": True, "punctuation": "strip", "size": 200},
        builder_options={"units": 16, "embedding_dim": 8},
        corpus_options={"limit": 100},
        validation_limit=20,
        batch_size=8,
        sequence_length=16,
        epochs=2,
        warmup_steps=5,
        prompts=(),
        expected="",
        limits="",
    )
)
