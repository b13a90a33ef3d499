"""The course: exercises with hints, models with a planted fault, and grading a class.

Exercises print what they ask with `task` and answer with `check`; neither says the answer.
"""

from fns_lab.teaching.checking import check, task

__all__ = ["check", "task"]
