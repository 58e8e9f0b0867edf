"""Pictures: what is drawn, and that a file comes of it."""

import contextlib
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from rnnzoo import plots
from rnnzoo.errors import InputError
from rnnzoo.inspection import LayerRecord

TOKENS = ["T", "o", " ", "\n"]
RANDOM = np.random.default_rng(0)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, instead of files."""
    figures = []

    @contextlib.contextmanager
    def picture(path, width, height):
        figures.append(Figure(figsize=(width, height)))
        yield figures[-1]

    for name in ("attention", "curves", "embeddings", "gates", "gradients", "temperatures"):
        monkeypatch.setattr(f"rnnzoo.plots.{name}.picture", picture)
    return figures


def layer():
    gates = {"i": RANDOM.random((4, 3)), "g": RANDOM.normal(size=(4, 3))}
    return LayerRecord("recurrent/lstm_0", "lstm", {"h": RANDOM.normal(size=(4, 3))}, gates)


def test_gates_of_all_units_over_time(drawn):
    found = layer()
    plots.plot_gates(found, "gates.png", tokens=TOKENS)
    images = [axes.images[0] for axes in drawn[0].axes if axes.images and axes.get_ylabel()]
    for image, values in zip(images, [*found.gates.values(), *found.states.values()], strict=True):
        np.testing.assert_array_equal(image.get_array(), values.T)
    assert images[0].get_clim() == (0, 1)
    assert images[1].get_clim()[0] == -images[1].get_clim()[1] < 0


def test_gates_of_one_unit_with_the_tokens_below(drawn):
    found = layer()
    plots.plot_gates(found, "gates.png", tokens=TOKENS, unit=1)
    *_, last = drawn[0].axes
    np.testing.assert_array_equal(last.images[0].get_array(), found.states["h"].T[1:2])
    assert [each.get_text() for each in last.get_xticklabels()] == ["T", "o", "␣", "↵"]


def test_gates_of_a_unit_of_a_wide_state(drawn):
    found = LayerRecord(
        "recurrent/qrnn_0", "qrnn", {"c": np.ones((4, 3)), "x W_0": np.zeros((4, 1, 9))},
        {"z": np.full((4, 3), 0.5), "f": np.full((4, 3), 0.5)}, candidates=("z",),
    )  # fmt: skip
    plots.plot_gates(found, "gates.png", tokens=TOKENS, unit=7)
    plots.plot_gates(found, "gates.png", tokens=TOKENS, unit=2)
    (wide,), rows = (figure.axes for figure in drawn)
    assert wide.get_ylabel() == "x W_0"
    assert [axes.get_ylabel() for axes in rows] == ["z", "f", "c", "x W_0"]
    assert [axes.images[0].get_clim()[0] for axes in rows] == [-0.5, 0, -1, -1]
    for unit in (-1, 9):
        with pytest.raises(InputError, match=f"'recurrent/qrnn_0' has units 0 to 8, not {unit};"):
            plots.plot_gates(found, "gates.png", tokens=TOKENS, unit=unit)


def test_sensitivity_is_the_mean_at_each_distance(drawn):
    norms = [np.array([9.0, 2.0, 4.0]), np.array([4.0, 6.0])]
    plots.plot_sensitivity({"GRU": {"trained": norms}, "LSTM": {"trained": norms[:1]}}, "x.png")
    first, second = drawn[0].axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [5, 3])
    np.testing.assert_array_equal(second.lines[0].get_xydata(), [[1, 4], [2, 2], [3, 9]])
    assert (first.get_title(), first.get_yscale()) == ("GRU", "log")


def test_gradient_norms_by_step(drawn):
    plots.plot_gradient_norms({"free": [1.0, 30.0]}, "x.png", clipnorm=5.0)
    free, line = drawn[0].axes[0].lines
    assert list(free.get_ydata()) == [1, 30] and list(line.get_ydata()) == [5, 5]


def test_embeddings_lie_along_their_principal_components(drawn):
    rows = RANDOM.normal(size=(6, 4)) * [1, 9, 1, 3]
    plots.plot_embeddings(rows, "x.png", labels=list("abcde "))
    points = np.array([text.get_position() for text in drawn[0].axes[0].texts])
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    expected = (rows - rows.mean(0)) @ vectors[:, [-1, -2]]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    share = values[-1] / values.sum()
    assert drawn[0].axes[0].get_xlabel() == f"first component, {share:.0%} of the variance"
    assert drawn[0].axes[0].texts[5].get_text() == "␣"


def test_the_same_prompt_at_six_temperatures(drawn):
    texts = {each / 5: f"ROMEO:\n{'word ' * 20}" for each in range(1, 7)}
    plots.plot_temperatures(texts, "x.png")
    assert [axes.get_title(loc="left") for axes in drawn[0].axes][::5] == [
        "temperature 0.2", "temperature 1.2",
    ]  # fmt: skip
    lines = drawn[0].axes[0].texts[0].get_text().split("\n")
    assert lines[0] == "ROMEO:" and max(map(len, lines)) <= 42 and len(lines) == 4


def test_curves_of_several_runs(drawn, tmp_path):
    for name, bits in (("lstm", 2.0), ("gru", 3.0)):
        (tmp_path / name).write_text(
            "minutes,loss,val_loss,bits_per_character,val_bits_per_character\n"
            f"0.5,2.0,,,\n1.0,1.5,1.4,{bits},{bits}\n"
        )
    plots.plot_learning_curves({name: tmp_path / name for name in ("lstm", "gru")}, "x.png")
    thin, lstm, _, gru = drawn[0].axes[0].lines
    np.testing.assert_allclose(thin.get_xydata(), [[0.5, 2.0]])
    np.testing.assert_allclose(lstm.get_xydata(), [[1, 2 * math.log(2)]])
    assert gru.get_label() == "gru" and gru.get_ydata()[0] == pytest.approx(3 * math.log(2))


def test_a_picture_is_a_png_and_written_whole(tmp_path):
    plots.plot_gradient_norms({"free": [1.0, 30.0]}, tmp_path / "norms.png")
    assert (tmp_path / "norms.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError):
        plots.plot_gradient_norms({"free": [1.0]}, tmp_path / "other.png", clipnorm=[])
    assert [path.name for path in tmp_path.iterdir()] == ["norms.png"]
