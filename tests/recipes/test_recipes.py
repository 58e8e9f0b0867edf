import inspect
from dataclasses import replace

import pytest

from rnnzoo import Vocabulary, models, recipes
from rnnzoo.data import corpora
from rnnzoo.errors import InputError


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_names_things_that_exist(name):
    recipe = recipes.get(name)
    assert recipe.name == name and recipe.description.endswith(".")
    assert recipe.corpus in corpora.names()
    builder = getattr(models, recipe.builder)
    inputs = {"translation": ("source", "target"), "classification": ("vocabulary", "labels")}
    inputs = inputs.get(recipe.task, ("vocabulary",))
    inspect.signature(builder).bind(*inputs, **recipe.builder_options)
    for options in (recipe.vocabulary, getattr(recipe, "target_vocabulary", {})):
        inspect.signature(Vocabulary.from_text).bind("text", **options)


def test_every_family_has_a_tiny_variant():
    families = {(recipes.get(name).task, recipes.get(name).builder) for name in recipes.names()}
    tiny = [recipes.get(name) for name in recipes.names() if name.endswith("_tiny")]
    assert {(recipe.task, recipe.builder) for recipe in tiny} == families


def test_names_by_task():
    translators = recipes.names("translation")
    assert "spelled_numbers" in translators and "imdb_lm" not in translators
    others = recipes.names("language_model") + recipes.names("classification")
    assert sorted(translators + others) == recipes.names()


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(InputError, match="No recipe is called 'imdb_ml'; did you mean 'imdb_lm'"):
        recipes.get("imdb_ml")


def test_a_name_can_be_taken_once():
    recipe = recipes.get("imdb_lm")
    assert recipes.register(recipe) is recipe
    with pytest.raises(InputError, match="imdb_lm"):
        recipes.register(replace(recipe, epochs=99))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "summary"}, "No task"),
        ({"batches": "stream"}, "did you mean 'streams'"),
        ({"dtype": "float8"}, "No dtype"),
        ({"batches": "pairs"}, "No kind of batches is called 'pairs'"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1, not 0"),
        ({"sequence_length": 1.5}, "`sequence_length`"),
        ({"sequence_length": None}, "no `sequence_length`, which its streams need"),
        ({"sequence_length": None, "batches": "windows"}, "which its windows need"),
        ({"epochs": -1}, "`epochs`"),
        ({"reset_probability": 1.5}, "`reset_probability` must be from 0 to 1, not 1.5"),
        ({"reset_probability": 0.5, "batches": "windows"}, "goes with streams"),
        ({"variable_length": True, "batches": "windows"}, "which goes with streams"),
        (
            {"variable_length": True, "sequence_length": 3},
            "at least 4, but its batches are streams of 3",
        ),
        ({"sample_length": 0}, "`sample_length`"),
        ({"temperature": 0.0}, "`temperature` must be above 0, not 0.0"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be above 0"),
        ({"clipnorm": None}, "`clipnorm` must be above 0"),
        ({"max_minutes": 0}, "`max_minutes` must be above 0"),
        ({"max_minutes": float("inf")}, "`max_minutes` must be a finite number, not inf"),
        ({"validation_split": 0.0}, "`validation_split` must be above 0"),
        ({"validation_split": 1.0}, "`validation_split` must be at least 0 and below 1"),
        ({"label_smoothing": 1.0}, "`label_smoothing` must be at least 0 and below 1, not 1.0"),
        ({"average_weights": 1.0}, "`average_weights` must be at least 0 and below 1, not 1.0"),
        ({"average_weights": "some"}, "`average_weights` must be"),
        ({"warmup_steps": -1}, "`warmup_steps` must be at least 0"),
    ],
)
def test_recipes_that_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        replace(recipes.get("imdb_lm"), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "language_model"}, "No task of this recipe is called 'language_model'"),
        ({"batches": "streams"}, "No kind of batches for a translation"),
        ({"length_penalty": -1}, "`length_penalty` must be at least 0"),
        ({"beam_widths": (5, 0)}, "`beam_widths` must be a whole number of at least 1, not 0"),
        ({"beam_widths": ()}, "`beam_widths`"),
        ({"measure": "blue"}, "did you mean 'bleu'"),
        (
            {"joint_vocabulary": True, "target_vocabulary": {"level": "word"}},
            "leave out one of them",
        ),
    ],
)
def test_recipes_of_translators_that_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        replace(recipes.get("spa_eng"), **changes)


def test_a_recipe_by_its_task():
    words = {"corpus": "alice", "builder": "char_lstm"}
    made = recipes.Recipe("a", "b", task="language_model", stride=3, **words)
    assert type(made).__name__ == "LanguageModelRecipe" and made.stride == 3
    made = recipes.Recipe(name="a", description="b", task="translation", measure="bleu", **words)
    assert type(made).__name__ == "TranslationRecipe" and made.batches == "pairs"
    with pytest.raises(InputError, match="No task is called 'translating'; did you mean 'transl"):
        recipes.Recipe("a", "b", task="translating", **words)


def test_options_of_the_command_line():
    recipe = recipes.get("char_lstm_shakespeare")
    other = recipe.with_options({"units": 64, "num_layers": 1, "dropout": 0.1, "epochs": None})
    assert dict(other.builder_options) == {
        "units": 64, "num_layers": 1, "dropout": 0.1, "weight_drop": 0.2,
    }  # fmt: skip
    assert recipe.with_options({"level": "character"}) == recipe
    words = recipe.with_options({"level": "word"})
    assert words.builder == "word_lm" and words.vocabulary == {"level": "word", "size": 10_000}
    back = recipes.get("imdb_lm").with_options({"level": "character", "units": 8})
    assert back.builder == "char_lstm" and "embedding_dim" not in back.builder_options
    letters = recipes.get("spa_eng").with_options({"level": "character"})
    assert "<unk>" in letters.vocabulary["special_tokens"]
    for options, sentence in (
        ({"units": 0}, "`units` must be"),
        ({"num_layers": 1.5}, "`num_layers` must be"),
        ({"dropout": 1.0}, "`dropout` must be"),
        ({"level": "words"}, "No level is called 'words'; did you mean 'word'"),
        ({"seed": -1}, "`seed` must be"),
    ):
        with pytest.raises(InputError, match=sentence):
            recipe.with_options(options)
