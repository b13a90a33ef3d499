"""A sweep: nodes drawn on purpose for every op, run in a target's engine, and their faults reduced to quirks."""
