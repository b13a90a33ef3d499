"""What is measured in the real engines, and what a model costs.

- `bench`: times of models in engines
- `tune`: the fastest alternative of each site
- `matrix`: which ops an engine supports, by ONNX's node tests and by pairs of ops
- `precision`: the same network in float16 and int8
- `cost`: parameters, multiply-adds and bytes, counted from the graph
"""
