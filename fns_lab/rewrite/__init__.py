"""Rewriting ONNX models for a target, by rules."""
