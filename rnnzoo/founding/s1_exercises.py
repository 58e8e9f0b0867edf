"""S1's exercises: model 1 of the document with one thing changed, each as a system of its own.

- *A bidirectional encoder*: the last states of the two directions concatenated, added, multiplied.
- *Targets of variable length*: numbers of 1 to 20 digits, and a cost that is masked where the
  targets are padded.
- *A trainable embedding*, which starts as the one-hot code.
- *The other way to hand the state over*: the decoder starts with it and runs without any input.
"""

from dataclasses import replace
from functools import partial

from rnnzoo.founding import s1_numbers

CHANGES = {
    "s1_numbers_bidirectional_concat": {"bidirectional": "concat"},
    "s1_numbers_bidirectional_sum": {"bidirectional": "sum"},
    "s1_numbers_bidirectional_product": {"bidirectional": "product"},
    "s1_numbers_variable_length": {"min_digits": 1},
    "s1_numbers_trainable_embedding": {"trainable_embedding": True},
    "s1_numbers_initial_state": {"bridge": "initial_state"},
}
TINY = {
    name: replace(s1_numbers.TINY["s1_numbers_encoder_decoder"], **change)
    for name, change in CHANGES.items()
}


def _exercise(name):
    constants = replace(s1_numbers.ENCODER_DECODER, **CHANGES[name])
    return partial(s1_numbers.run_encoder_decoder, name=name, constants=constants)


run_bidirectional_concat = _exercise("s1_numbers_bidirectional_concat")
run_bidirectional_sum = _exercise("s1_numbers_bidirectional_sum")
run_bidirectional_product = _exercise("s1_numbers_bidirectional_product")
run_variable_length = _exercise("s1_numbers_variable_length")
run_trainable_embedding = _exercise("s1_numbers_trainable_embedding")
run_initial_state = _exercise("s1_numbers_initial_state")
