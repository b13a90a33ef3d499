"""Read a node of any opset, and convert it to another opset. Knows no target."""
