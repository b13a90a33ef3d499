"""Training of style networks: photographs, losses, the loop, and what a run writes."""
