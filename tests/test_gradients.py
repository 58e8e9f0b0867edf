"""Gradients of functions of arrays, eagerly and compiled, on the backend that runs."""

import numpy as np
from keras import ops

from rnnzoo.generation.compiled import compile_stateless
from rnnzoo.gradients import gradients

MATRIX, VECTOR = np.arange(6, dtype="float32").reshape(2, 3), np.array([1.0, -1.0, 2.0], "float32")


def energy(arrays):
    matrix, vector, _ = arrays
    product = ops.matmul(matrix, ops.expand_dims(vector, -1))
    return ops.sum(ops.square(product)), product


def check(found):
    (matrix, vector, unused), product = found
    expected = MATRIX @ VECTOR
    assert np.allclose(ops.convert_to_numpy(product)[:, 0], expected)
    assert np.allclose(ops.convert_to_numpy(matrix), 2 * np.outer(expected, VECTOR))
    assert np.allclose(ops.convert_to_numpy(vector), 2 * MATRIX.T @ expected)
    assert not ops.convert_to_numpy(unused).any()


def test_gradients_are_those_of_the_formula():
    arrays = [ops.convert_to_tensor(each) for each in (MATRIX, VECTOR, VECTOR)]
    check(gradients(energy, arrays))
    check(compile_stateless(lambda arrays: gradients(energy, arrays))(arrays))


def test_of_the_rows_of_a_table():
    table, rows = ops.ones((4, 2)), np.array([1, 1, 3])
    (found,), _ = gradients(lambda xs: (ops.sum(ops.take(xs[0], rows, axis=0)), None), [table])
    assert ops.convert_to_numpy(found).tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]
