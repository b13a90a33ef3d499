"""Which ops an engine really supports, measured with ONNX's own node tests and with pairs of ops."""
