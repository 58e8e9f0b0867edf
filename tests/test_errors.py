"""The checks of what people type."""

from fractions import Fraction

import numpy as np
import pytest

from rnnzoo.errors import InputError, check_fraction, check_positive, unknown_name


@pytest.mark.parametrize("value", [0, -3, 2.0, "2", True, float("nan"), [1, 2], np.array([1, 2])])
def test_sizes_that_are_none(value):
    with pytest.raises(InputError) as error:
        check_positive(units=value)
    assert str(error.value) == f"`units` must be a whole number of at least 1, not {value!r}."


def test_sizes_that_are_sizes():
    check_positive(units=1, num_layers=np.int64(2), embedding_dim=None, length=10**12)


def test_sizes_that_are_too_large():
    check_positive(10, units=10, num_layers=None)
    with pytest.raises(InputError, match="`units` must be at most 10, not 11"):
        check_positive(10, units=11)
    with pytest.raises(InputError, match="at least 1, not 0"):
        check_positive(10, units=0)
    with pytest.raises(InputError) as error:
        check_positive(10, units=10**400)
    assert len(str(error.value)) < 90 and "not 1000" in str(error.value)


@pytest.mark.parametrize("value", [1, 1.0, -0.1, "0.5", False, None, float("nan"), float("inf")])
def test_fractions_that_are_none(value):
    with pytest.raises(InputError) as error:
        check_fraction(dropout=value)
    assert str(error.value) == f"`dropout` must be at least 0 and below 1, not {value!r}."


def test_fractions_that_are_fractions():
    check_fraction(dropout=0, other=0.999, small=np.float32(0.1), third=Fraction(1, 3))


def test_unknown_names_suggest_near_ones():
    error = unknown_name("cell", "ltsm", ["lstm", "gru"])
    assert isinstance(error, ValueError)
    assert str(error) == ("No cell is called 'ltsm'; did you mean 'lstm'? There are: gru, lstm.")
    assert str(unknown_name("cell", 5, ["lstm"])) == "No cell is called 5. There are: lstm."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hidden_size", "`f` takes no `hidden_size`; here that is called `units`."),
        ("layers", "`f` takes no `layers`; here that is called `num_layers`."),
        ("unit", "`f` takes no `unit`; did you mean `units`?"),
        ("lr", "`f` takes no `lr`; it takes num_layers, units."),
    ],
)
def test_names_of_other_libraries(name, sentence):
    from rnnzoo.errors import check_names

    check_names("f", ["units"], ["units", "num_layers"])
    with pytest.raises(InputError) as caught:
        check_names("f", ["units", name], ["units", "num_layers"])
    assert str(caught.value) == sentence


def test_old_places_of_functions():
    import rnnzoo.publishing.train

    with pytest.warns(DeprecationWarning, match=r"is now rnnzoo\.publishing\.train"):
        from rnnzoo.training.train import train
    assert train is rnnzoo.publishing.train.train


def test_builders_tell_the_names_of_other_libraries():
    import rnnzoo

    v = rnnzoo.Vocabulary.from_text("to be")
    for build, name, ours in (
        (lambda **given: rnnzoo.char_lstm(v, **given), "hidden_size", "units"),
        (lambda **given: rnnzoo.word_lm(9, **given), "layers", "num_layers"),
        (lambda **given: rnnzoo.word_lm(9, **given), "embedding_size", "embedding_dim"),
        (lambda **given: rnnzoo.gru_seq2seq(9, 9, **given), "num_units", "units"),
    ):
        with pytest.raises(InputError, match=f"takes no `{name}`; here that is called `{ours}`"):
            build(**{name: 4})
    assert rnnzoo.word_lm(9, units=4, dtype="float32", trainable=False).name == "word_lm"
