"""Writing text: samplers, the compiled loop, generation and translation."""
