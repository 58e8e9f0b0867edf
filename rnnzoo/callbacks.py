"""rnnzoo's callbacks for `fit`, in one place as in `keras.callbacks`."""

from rnnzoo.training.callbacks import SampleText
from rnnzoo.training.fit_checkpoints import Checkpoints

__all__ = ["Checkpoints", "SampleText"]
