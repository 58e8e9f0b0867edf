"""The compiled functions of a model, which follow what is changed on it after their first call."""

import threading
from collections.abc import Callable, Hashable
from typing import Any

import keras

MAX_FUNCTIONS = 32  # that a model keeps; the one used longest ago goes first
_lock = threading.Lock()


class CompiledFunctions:
    """Keeps the compiled functions of a model as long as its layers and variables are the same.

    A mix-in for a `keras.Model`. A compiled function holds the variables and the layers that it
    was traced with. LoRA, quantization, another dtype policy and a replaced layer change these, and
    an old function would go on computing with what there was before.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Not part of the model: Keras shall not track them.
        object.__setattr__(self, "_functions", {})
        object.__setattr__(self, "_structure", None)

    def _compiled(self, key: Hashable, make: Callable[[], Callable]) -> Callable:
        """Returns the compiled function of this key, which `make()` makes where there is none.

        At most `MAX_FUNCTIONS` are kept, and none once the model's variables, layers, quantization
        or dtype policies have changed.
        """
        self._follow_changes()
        with _lock:
            function = self._functions.pop(key, None)
            if function is not None:
                self._functions[key] = function  # the last one again
                return function
        function = make()
        with _lock:
            self._functions[key] = function
            while len(self._functions) > MAX_FUNCTIONS:
                self._functions.pop(next(iter(self._functions)))
        return function

    def _follow_changes(self) -> bool:
        """Drops what was compiled, if the model is another one than it was then."""
        now = _structure(self)
        if self._structure is not None and _same(now, self._structure):
            return False
        first = self._structure is None
        object.__setattr__(self, "_structure", now)
        if first:
            return False
        with _lock:
            self._functions.clear()
        self.train_function = self.test_function = self.predict_function = None
        return True

    def make_train_function(self, force: bool = False) -> Any:
        """As `keras.Model.make_train_function`, anew after the model was changed."""
        self._follow_changes()
        self._renew_optimizer()
        self._wake_lora()
        return super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> Any:
        """As `keras.Model.make_test_function`, anew after the model was changed."""
        self._follow_changes()
        return super().make_test_function(force)

    def make_predict_function(self, force: bool = False) -> Any:
        """As `keras.Model.make_predict_function`, anew after the model was changed."""
        self._follow_changes()
        return super().make_predict_function(force)

    def _renew_optimizer(self, forget: bool = False):
        """Makes the optimizer anew where it does not know all variables that are trained.

        With `forget` also where it knows others, that are not trained any more.
        """
        optimizer = getattr(self, "optimizer", None)
        if optimizer is None or not optimizer.built:
            return
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
        known = {id(variable) for variable in inner._trainable_variables}
        trained = {id(variable) for variable in self.trainable_variables}
        if not trained <= known or (forget and trained != known):
            self.optimizer = type(optimizer).from_config(optimizer.get_config())
            self.optimizer.build(self.trainable_variables)


def _structure(model):
    """The variables and layers of a model, and what else a compiled function depends on."""
    layers = model._flatten_layers()
    return [
        *model.weights,
        *(
            (layer, layer.dtype_policy, layer.quantization_mode, getattr(layer, "lora_rank", None))
            for layer in layers
        ),
    ]


def _same(one, other):
    """Whether two structures are of the same objects; `==` of variables would be a tensor."""
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        if isinstance(a, keras.Variable) or isinstance(b, keras.Variable):
            if a is not b:
                return False
        elif a[0] is not b[0] or a[1:] != b[1:]:
            return False
    return True
