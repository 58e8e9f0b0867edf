"""Pictures: of trainings, and of what happens inside a network."""

from rnnzoo.plots.attention import plot_attention
from rnnzoo.plots.curves import plot_learning_curve, plot_learning_curves
from rnnzoo.plots.embeddings import plot_embeddings
from rnnzoo.plots.gates import plot_gates
from rnnzoo.plots.gradients import plot_gradient_norms, plot_sensitivity
from rnnzoo.plots.temperatures import plot_temperatures

__all__ = [
    "plot_attention",
    "plot_embeddings",
    "plot_gates",
    "plot_gradient_norms",
    "plot_learning_curve",
    "plot_learning_curves",
    "plot_sensitivity",
    "plot_temperatures",
]
