"""What `make bench` measures. One benchmark, one file: `measure` gives rows, each right or not; `table` shows them."""
