"""Keep a process, and all that it starts, away from the network, from other files and from most of the machine.

`confine` works on Linux without any rights: namespaces take the network and the other processes away, Landlock the
files, limits bound memory, time and the size of files. What the kernel does not offer is left out; `confine` returns
what holds.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

CLONE_NEWUSER = 0x10000000
"""Linux's flag for a namespace of users."""
CLONE_NEWNET = 0x40000000
"""Linux's flag for a namespace of networks."""
CLONE_NEWPID = 0x20000000
"""Linux's flag for a namespace of processes."""
CLONE_NEWIPC = 0x08000000
"""Linux's flag for a namespace of messages between processes."""
PR_SET_PDEATHSIG = 1
"""prctl's option: a signal when the parent ends."""
PR_SET_NO_NEW_PRIVS = 38
"""prctl's option: no program that starts gets more rights."""
LANDLOCK_CREATE = 444
"""System call that makes a set of Landlock's rules; its number is the same on every architecture."""
LANDLOCK_ADD = 445
"""System call that adds a rule to the set."""
LANDLOCK_RESTRICT = 446
"""System call after which the rules hold."""

READ = 0b0000_0000_1101
"""Landlock's rights to execute, to read a file and to list a folder."""
WRITE_BITS_OF_ABI_1 = (1 << 13) - 1
"""All rights that Landlock's first version knows."""
LARGEST_FILE_BYTES = 1 << 30
"""Largest file that a notebook may write."""
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/opt")
"""Folders of the system that a notebook may read."""


def confine(readable: Iterable[Path], writable: Iterable[Path], *, memory_bytes: int, time_s: int) -> list[str]:
    """Confine this process for good, and return what holds: of `network`, `processes`, `files`, `memory`, `time`.

    Call it before any thread is started and before anything that is not trusted runs. After it the process is a child
    of the one that called, which waits for it and ends as it does: with the caller, all that it started ends.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    holds = []
    if sys.platform == "linux":
        if _leave_namespaces(libc):
            holds += ["network", "processes"]
        _become_a_child(libc)
        if _landlock(libc, readable, writable):
            holds.append("files")
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (2 * time_s, 2 * time_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, LARGEST_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return [*holds, "memory", "time"]


def _leave_namespaces(libc: ctypes.CDLL) -> bool:
    """Enter namespaces of our own: one without a network, one in which the next child is the first process."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(text)
    return True


def _become_a_child(libc: ctypes.CDLL) -> None:
    """Go on in a child; the parent waits for it and ends with its exit status."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # in a namespace of processes, the first takes all with it


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _landlock(libc: ctypes.CDLL, readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Forbid all files but these, for this process and its children; return whether the kernel can."""
    handled = _Ruleset(WRITE_BITS_OF_ABI_1)
    ruleset = libc.syscall(LANDLOCK_CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if ruleset < 0:
        return False
    for path in (*map(Path, SYSTEM_FOLDERS), *readable):
        _allow(libc, ruleset, path, READ)
    for path in (Path("/dev"), *writable):
        _allow(libc, ruleset, path, WRITE_BITS_OF_ABI_1)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    restricted = bool(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0) == 0)
    os.close(ruleset)
    return restricted


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    if not path.exists():
        return
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = _PathRule(rights if path.is_dir() else rights & 0b0111, folder)
    libc.syscall(LANDLOCK_ADD, ruleset, 1, ctypes.byref(rule), 0)
    os.close(folder)
