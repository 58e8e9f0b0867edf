"""Kernels: what runs a recurrent layer over time, which one is chosen, and the report of it.

A kernel has a `name`; a `label`, which the reasons of others call it; `runs_on(backend, gpu)`;
`obstacles(layer, call)`, what keeps a layer from it, as remedies; `reason(layer, call)`;
`run(layer, sequences, initial_state, mask, training)`, which returns what `inner_loop` of a Keras
layer returns; and `exportable`, whether a model may be exported with it. `choose_kernel` takes the
first of `choose.KERNELS` that nothing hinders, and for a layer that is `exporting` the first that
is exportable too. A kernel for one cell alone, such as a parallel or an elementwise scan of a cell
without a recurrent matrix product, stands in that cell's file: its layer, a `FastLoop`, lists it in
a class attribute `kernels`, and these come first. Equations that fit the CPU loop are an attribute
`equations`.
"""

from rnnzoo.layers.kernels.choose import Call, Kernel, choose_kernel, gpu_visible
from rnnzoo.layers.kernels.report import KernelReport, LayerKernels, kernels

__all__ = [
    "Call",
    "Kernel",
    "KernelReport",
    "LayerKernels",
    "choose_kernel",
    "gpu_visible",
    "kernels",
]
