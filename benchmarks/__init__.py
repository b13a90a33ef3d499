"""What `make bench` measures, one file per benchmark: `measure` returns rows, `table` prints them.

- `lowering_cost`: time and memory of lowering
- `random_cases`: lowered random models compared with their originals
- `comparing`: time and memory of comparing every value
- `isolation`: what a process of its own costs an engine
- `architectures`: public architectures that run after lowering
- `lowering`: the lowered network and one in basic ops
- `tuning`: the same, and the tuned network
- `training`: images per second of training
- `preview`: from a control of the preview to the picture, in JupyterLab; runs only if named
- `browsers`: the web site in Chromium, Firefox and WebKit; runs only if named
- `foreign`: ONNX files of other people's packages in every target; runs only if named
- `sweep`: nodes drawn for every op in every target; runs only if named
- `robustness`: bad files of every kind, read as a command would; runs only if named
- `bad_files`: the same files in other programs; runs only if named
- `large_image`: 100 megapixels in 4 GiB of memory; runs only if named
- `interruptions`: commands that are killed, and browsers; runs only if named
- `memory`: of the kernel and the browser while previews run; runs only if named
"""
