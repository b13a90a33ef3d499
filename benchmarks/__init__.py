"""What `make bench` measures. One benchmark, one file, one function that returns a table; `__main__` runs them all."""
