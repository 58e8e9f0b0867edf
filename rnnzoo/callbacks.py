"""rnnzoo's callbacks for `fit`, in one place as in `keras.callbacks`."""

from rnnzoo.training.callbacks import SampleText
from rnnzoo.training.fit_checkpoints import Checkpoints
from rnnzoo.training.regularization import RegularizationSchedule
from rnnzoo.training.unfreezing import GradualUnfreezing

__all__ = ["Checkpoints", "GradualUnfreezing", "RegularizationSchedule", "SampleText"]
