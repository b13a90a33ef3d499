"""Networks that are trained and converted, the loss network, and their files."""
