"""Encoder-decoders: spelled-out numbers, and sentences by words and by subwords."""

from dataclasses import replace

from rnnzoo.recipes.registry import register
from rnnzoo.tasks import TranslationRecipe

SPELLED_NUMBERS = register(
    TranslationRecipe(
        name="spelled_numbers",
        description='Reads "one two five", writes "125": 20 digits, additive attention.',
        corpus="spelled_numbers",
        vocabulary={"special_tokens": ("<pad>", "<end>")},
        target_vocabulary={"special_tokens": ("<pad>", "<start>", "<end>")},
        builder="gru_seq2seq",
        builder_options={"units": 64, "embedding_dim": 32, "attention_position": "before_cell"},
        batch_size=100,
        sequence_length=None,
        epochs=1,
        max_minutes=5.0,
        learning_rate=5e-3,
        final_fraction=0.02,
        sample_length=40,
        sample_every_batches=250,
        expected="Over 99 % of the digits right, free-running, after 5 minutes on two cores.",
        limits="It knows the ten digit words and nothing else, and numbers of 20 digits alone.",
    )
)

register(
    replace(
        SPELLED_NUMBERS,
        name="gru_seq2seq_numbers",
        description='Reads "one two five", writes "125": numbers of 1 to 20 digits, a GRU '
        "encoder-decoder with additive attention.",
        corpus_options={"min_digits": 1, "repeats": 0.3},
        epochs=4,
        max_minutes=None,
        sample_every_batches=None,
        expected="All digits right, free-running, after 28 minutes on one core that was shared.",
        limits="It knows the ten digit words and nothing else, and was trained on 1 to 20 of them. "
        "Digits repeat in three of ten numbers, as in 1111 or 909090: trained on random digits "
        "alone, it lost its place in these.",
    )
)

register(
    replace(
        SPELLED_NUMBERS,
        name="spelled_numbers_tiny",
        description="Spelled-out numbers of 1 to 3 digits, in seconds, to try things out.",
        corpus_options={
            "min_digits": 1, "max_digits": 3, "samples": 320, "validation_samples": 40,
        },
        builder_options={"units": 16, "embedding_dim": 8},
        batch_size=16,
        epochs=2,
        max_minutes=None,
        warmup_steps=5,
        sample_every_batches=None,
        expected="",
        limits="",
    )
)  # fmt: skip

_WORDS = {"level": "word", "lowercase": True, "punctuation": "split", "size": 10_000}

MULTI30K_EN_DE = register(
    TranslationRecipe(
        name="multi30k_en_de",
        description="English image captions to German, by words (Multi30k task 1).",
        corpus="multi30k_en_de",
        vocabulary=_WORDS,
        target_vocabulary=_WORDS,
        builder="gru_seq2seq",
        builder_options={"units": 256, "embedding_dim": 128, "dropout": 0.4},
        batch_size=64,
        sequence_length=50,
        epochs=15,
        patience=3,
        learning_rate=2e-3,
        sample_length=50,
        sample_every_batches=200,
    )
)

register(
    replace(
        MULTI30K_EN_DE,
        name="spa_eng",
        description="English sentences to Spanish, by words (Tatoeba).",
        corpus="spa_eng",
        builder_options={"units": 256, "embedding_dim": 128, "dropout": 0.3},
        sequence_length=40,
        epochs=10,
        sample_every_batches=500,
    )
)

register(
    replace(
        MULTI30K_EN_DE,
        name="multi30k_en_de_tiny",
        description="Captions by words, in seconds, to try things out.",
        vocabulary={**_WORDS, "size": 200},
        target_vocabulary={**_WORDS, "size": 200},
        corpus_options={"limit": 200},
        validation_limit=40,
        builder_options={"units": 16, "embedding_dim": 8},
        batch_size=16,
        sequence_length=20,
        epochs=2,
        patience=None,
        warmup_steps=5,
        sample_every_batches=None,
    )
)

_SUBWORDS = {"level": "subword", "size": 10_000}

GRU_MULTI30K = register(
    TranslationRecipe(
        name="gru_seq2seq_multi30k_en_de",
        description="English image captions to German, by subwords (Multi30k task 1, cased): a GRU "
        "encoder-decoder with additive attention.",
        corpus="multi30k_en_de",
        vocabulary=_SUBWORDS,
        joint_vocabulary=True,
        builder="gru_seq2seq",
        builder_options={
            "units": 384, "embedding_dim": 192, "dropout": 0.35, "tie_embedding_weights": "all",
        },
        batch_size=64,
        sequence_length=60,  # above every training pair: none is cut
        epochs=25,
        learning_rate=1.5e-3,
        warmup_steps=400,
        label_smoothing=0.1,
        average_weights=0.999,  # a thousand batches, some two epochs
        measure="bleu",
        beam_widths=(5, 1),
        sample_length=60,
        sample_every_batches=400,
        expected="37.7 BLEU on test_2016 with a beam of 5 after 73 minutes on one core.",
        limits="It has read captions of photographs alone: their words, in the present tense. An "
        "earlier recipe had been measured on the test data before this one was made.",
    )
)  # fmt: skip

register(
    replace(
        GRU_MULTI30K,
        name="gru_seq2seq_multi30k_en_de_lowercase",
        description="English image captions to German, lower-cased, by subwords (Multi30k task 1): "
        "a GRU encoder-decoder with additive attention, to compare with older figures.",
        vocabulary={**_SUBWORDS, "lowercase": True},
        expected="39.5 BLEU on test_2016 with a beam of 5 after 75 minutes on one core.",
        limits=f"It writes no capitals. {GRU_MULTI30K.limits}",
    )
)

register(
    replace(
        GRU_MULTI30K,
        name="gru_seq2seq_spa_eng",
        description="Spanish sentences to English, by subwords (Tatoeba, cased): a GRU "
        "encoder-decoder with additive attention.",
        corpus="spa_eng",
        vocabulary={**_SUBWORDS, "size": 6000},
        reverse_pairs=True,
        builder_options={
            "units": 448, "embedding_dim": 256, "dropout": 0.25, "tie_embedding_weights": "all",
        },
        batch_size=128,
        epochs=8,
        length_penalty=1.4,  # of 0 to 2.4 on the validation pairs; with 0.6 it writes too little
        sample_every_batches=900,
        expected="51.1 BLEU on the test pairs with a beam of 5 after 104 minutes on two cores.",
        limits="It has read short sentences of daily life, six words on average; of longer texts "
        "it may leave out parts.",
    )
)  # fmt: skip

register(
    replace(
        GRU_MULTI30K,
        name="gru_seq2seq_multi30k_en_de_tiny",
        description="Captions by subwords, in seconds, to try things out.",
        vocabulary={**_SUBWORDS, "size": 120},
        corpus_options={"limit": 200},
        validation_limit=20,
        builder_options={"units": 16, "embedding_dim": 8, "tie_embedding_weights": "all"},
        batch_size=16,
        epochs=2,
        warmup_steps=5,
        average_weights=0.8,
        beam_widths=(2, 1),
        sample_every_batches=None,
        expected="",
        limits="",
    )
)
