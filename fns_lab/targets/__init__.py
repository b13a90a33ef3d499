"""What a runtime supports, as data: one TOML file per runtime version, read into one `Target` per backend."""

from typing import TYPE_CHECKING, Any

from fns_lab.targets.target import EVERY_OP, VALUE_MEANINGS, Quirk, Target, WorkedAround, load, names

if TYPE_CHECKING:
    from fns_lab.targets.checking import Check, check

__all__ = ["EVERY_OP", "VALUE_MEANINGS", "Check", "Quirk", "Target", "WorkedAround", "check", "load", "names"]


def __getattr__(name: str) -> Any:
    """Return `Check` or `check`, imported when first used: onnx_ir and pandas would be most of an engine's start."""
    if name in ("Check", "check"):
        from fns_lab.targets import checking

        return getattr(checking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
