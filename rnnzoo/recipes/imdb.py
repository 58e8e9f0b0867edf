"""Word language models of film reviews."""

from dataclasses import replace

from rnnzoo.recipes.registry import register
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

# For a GPU, where `benchmarks/gpu_words.py` trains it in nine minutes. No run of it is known yet.
# What it rests on: 3 x 1150 units and 400 numbers a word are the sizes of AWD-LSTM (Merity et al.
# 2018). The dropout is near that of fastai's 3 x 500 units on these reviews (lesson4-imdb: 0.05,
# weights 0.1, words 0.02), which "wasn't yet overfitting" after 25 epochs; ours sees the text a few
# times only, but is larger. Such a network in bfloat16 trained at 148,000 tokens a second on an
# H100 with 80 rows (JAX), bound by 70 steps one after the other: 256 rows should take little longer
# a batch, and leave some thousands of batches in nine minutes.
register(
    replace(
        IMDB_LM,
        name="word_lm_imdb_large",
        description="A large word LSTM of the IMDB reviews, the unlabelled ones too, for a GPU: "
        "35,000 tokens, lower-cased, with punctuation.",
        corpus_options={"unlabelled": True},
        vocabulary={"level": "word", "lowercase": True, "punctuation": "split", "size": 35_000},
        builder_options={
            "units": 1150,
            "num_layers": 3,
            "embedding_dim": 400,
            "dropout": 0.1,
            "locked_dropout": True,
            "weight_drop": 0.1,
            "embedding_dropout": 0.02,
        },
        batch_size=256,
        sequence_length=70,
        reset_probability=0.01,
        epochs=10,
        max_minutes=None,
        learning_rate=2e-3,
        warmup_steps=500,
        clipnorm=0.5,
        average_weights=0.999,
        sample_every_batches=2000,
        ngram_orders=(),
        expected="",
        limits="It knows lower-case words and punctuation marks, and of these the 35,000 most "
        "frequent, some 98 % of a review.",
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
