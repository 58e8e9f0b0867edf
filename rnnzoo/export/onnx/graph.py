"""An ONNX graph as it is put together: nodes, and the weights that they read."""

import hashlib
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rnnzoo.version import __version__

OPSET, IR_VERSION = 18, 9  # of onnxruntime 1.15 and all later ones
ZERO_POINT = 128  # what stands for 0 in a matrix of 8 bits


class Graph:
    """Collects the nodes of a graph; each value is known by its name.

    Args:
        weights: `"float32"`, or `"int8"`: matrices are stored in 8 bits, and what they are
            multiplied with is rounded to 8 bits too.
        outer: The graph that has this one as the body of a loop, and stores its constants.

    Example:
        >>> graph = Graph("float32")
        >>> inputs = [graph.input(name, ["batch", 2]) for name in "ab"]
        >>> graph.output("sum", graph.node("Add", *inputs), ["batch", 2])
        >>> [node.op_type for node in graph.model("sums").graph.node]
        ['Add', 'Identity']
    """

    def __init__(self, weights: str, outer: Self | None = None):
        self.weights = weights
        self._nodes, self._inputs, self._outputs = [], [], []
        self._outer = self if outer is None else outer
        self._constants, self._columns, self._count = {}, {}, 0

    def node(
        self, kind: str, *inputs: str, outputs: int | None = None, **attributes: Any
    ) -> str | list[str]:
        """Adds a node; returns the name of its output, or a list of as many as `outputs`."""
        names = [self.name(kind) for _ in range(outputs or 1)]
        self._nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs is None else names

    def name(self, kind: str) -> str:
        """Returns a name that no other value has."""
        if self._outer is not self:
            return self._outer.name(kind)
        self._count += 1
        return f"{kind.lower()}_{self._count}"

    def input(self, name: str, shape: Sequence[Any], dtype: int = TensorProto.FLOAT) -> str:
        """Adds an input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(
        self, name: str, value: str, shape: Sequence[Any], dtype: int = TensorProto.FLOAT
    ) -> None:
        """Makes a value an output of the graph, under this name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def constant(self, array: Any, dtype: str = "float32") -> str:
        """Returns the name of a constant; equal ones are stored once."""
        if self._outer is not self:
            return self._outer.constant(array, dtype)
        array = np.ascontiguousarray(np.asarray(array, dtype)).reshape(np.shape(array))
        key = array.dtype, array.shape, hashlib.sha256(array).digest()
        if key not in self._constants:
            name = self.name("constant")
            self._constants[key] = numpy_helper.from_array(array, name)
        return self._constants[key].name

    def axes(self, *axes: int) -> str:
        """Returns the name of a constant list of axes, or of sizes."""
        return self.constant(axes, "int64")

    def rows(self, matrix: np.ndarray, ids: str) -> str:
        """Takes rows of an embedding `(tokens, features)`."""
        if self.weights == "float32":
            return self.node("Gather", self.constant(matrix), ids)
        stored, scales = quantized(matrix)
        taken = self.node("Gather", self.constant(stored, "uint8"), ids)
        taken = self.node("Cast", taken, to=TensorProto.FLOAT)
        taken = self.node("Sub", taken, self.constant(ZERO_POINT))
        scales = self.node("Gather", self.constant(scales), ids)
        return self.node("Mul", taken, self.node("Unsqueeze", scales, self.axes(-1)))

    def linear(self, inputs: str, matrix: np.ndarray, bias: np.ndarray | None = None) -> str:
        """Multiplies by a matrix whose rows are outputs, and adds a bias."""
        if self.weights == "float32":
            result = self.node("MatMul", inputs, self._transposed(self.constant(matrix)))
        else:
            stored, scales = quantized(matrix)
            columns = self._transposed(self.constant(stored, "uint8"))
            rounded, scale, zero = self.node("DynamicQuantizeLinear", inputs, outputs=3)
            zeros = zero, self.constant(ZERO_POINT, "uint8")
            result = self.node("MatMulInteger", rounded, columns, *zeros)
            result = self.node("Cast", result, to=TensorProto.FLOAT)
            result = self.node("Mul", result, self.node("Mul", self.constant(scales), scale))
        return result if bias is None else self.node("Add", result, self.constant(bias))

    def dense(self, inputs: str, layer: dict[str, Any]) -> str:
        """Adds a dense layer, as `parts.describe_network` has it, without its activation."""
        return self.linear(inputs, layer["matrix"], layer["bias"])

    def model(self, name: str) -> onnx.ModelProto:
        """Returns the whole, checked."""
        model = helper.make_model(
            self.body(name),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="rnnzoo",
            producer_version=__version__,
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def body(self, name: str) -> onnx.GraphProto:
        """Returns the graph alone, such as the body of a loop."""
        constants = list(self._constants.values())
        return helper.make_graph(
            self._nodes, name, inputs=self._inputs, outputs=self._outputs, initializer=constants
        )

    def _transposed(self, constant):
        """A constant matrix the other way round, outside of every loop."""
        if self._outer is not self:
            return self._outer._transposed(constant)
        if constant not in self._columns:
            self._columns[constant] = self.node("Transpose", constant, perm=[1, 0])
        return self._columns[constant]


def quantized(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rounds a matrix to 8 bits, with a scale for each row.

    The numbers are stored as uint8 around 128: products of int8 with uint8 overflow the 16 bits
    that processors without VNNI have for them.

    Args:
        matrix: Float32 `(outputs, features)`.

    Returns:
        uint8 `(outputs, features)` and float32 scales `(outputs,)`.

    Example:
        >>> stored, scales = quantized(np.array([[-1.0, 0.5], [0.0, 254.0]], "float32"))
        >>> stored.tolist(), float(scales[1])
        ([[1, 192], [128, 255]], 2.0)
    """
    scales = np.maximum(np.abs(matrix).max(axis=1), 1e-12) / np.float32(127)
    return (np.round(matrix / scales[:, None]) + ZERO_POINT).astype("uint8"), scales
