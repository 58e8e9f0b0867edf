"""Word language models of film reviews."""

from dataclasses import replace

from rnnzoo.recipes.recipe import register
from rnnzoo.tasks import LanguageModelRecipe

IMDB_LM = register(
    LanguageModelRecipe(
        name="imdb_lm",
        description="A word LSTM of the IMDB reviews: 10,000 words, lower-cased, no punctuation.",
        corpus="imdb_reviews",
        vocabulary={"level": "word", "lowercase": True, "punctuation": "strip", "size": 10_000},
        builder="word_lm",
        builder_options={"units": 512, "embedding_dim": 256, "dropout": 0.1},
        batch_size=32,
        sequence_length=64,
        epochs=4,
        max_minutes=11.0,
        learning_rate=3e-3,
        prompts=("this movie", "the acting was", "i"),
        sample_length=60,
        sample_every_batches=200,
        ngram_orders=(2, 3),
        expected="A lower validation perplexity than the interpolated Kneser-Ney bigram after 11 "
        "minutes of training on two cores.",
        limits="It knows lower-case words without punctuation, and of these the 10,000 most "
        "frequent, some 94 % of a review.",
    )
)

register(
    replace(
        IMDB_LM,
        name="word_lm_imdb",
        description="A word LSTM of the IMDB reviews, the unlabelled ones too: 10,000 words, "
        "lower-cased, no punctuation.",
        corpus_options={"unlabelled": True},
        builder_options={"units": 640, "embedding_dim": 256},
        epochs=3,
        max_minutes=None,
        sample_every_batches=2000,
        ngram_orders=(3, 5),
        expected="A test perplexity of 80.4 after 2 hours and 2 minutes on one core.",
    )
)

register(
    replace(
        IMDB_LM,
        name="imdb_lm_tiny",
        description="A word LSTM of reviews that trains in seconds, to try things out.",
        vocabulary={"level": "word", "lowercase": True, "punctuation": "strip", "size": 200},
        builder_options={"units": 16, "embedding_dim": 8},
        corpus_options={"limit": 100},
        validation_limit=20,
        batch_size=8,
        sequence_length=16,
        epochs=2,
        max_minutes=None,
        warmup_steps=5,
        prompts=("this movie",),
        sample_length=10,
        sample_every_batches=None,
        expected="",
        limits="",
    )
)
