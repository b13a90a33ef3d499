"""ONNX to ONNX for a target, by rules."""
