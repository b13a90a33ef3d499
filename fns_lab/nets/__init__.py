"""Networks that are trained and converted, the loss network, and their files."""

SUFFIXES = (".pth", ".model")
"""How the names of checkpoints end."""
