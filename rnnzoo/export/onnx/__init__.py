"""Networks in the ONNX format, out of the descriptions of `rnnzoo.export.parts`."""
