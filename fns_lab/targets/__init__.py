"""What a runtime accepts, as data: one TOML a runtime version, read into a `Target` per backend."""

from fns_lab.targets.check import Check, check
from fns_lab.targets.target import Quirk, Target, load, names

__all__ = ["Check", "Quirk", "Target", "check", "load", "names"]
