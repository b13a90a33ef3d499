"""What a runtime supports, as data: one TOML file per runtime version, read into one `Target` per backend."""

from fns_lab.targets.check import Check, check
from fns_lab.targets.target import EVERY_OP, VALUE_MEANINGS, Quirk, Target, WorkedAround, load, names

__all__ = ["EVERY_OP", "VALUE_MEANINGS", "Check", "Quirk", "Target", "WorkedAround", "check", "load", "names"]
