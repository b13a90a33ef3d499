"""Work in a thread of its own, of which only the latest piece counts; what it shows is applied in the caller's thread.

The thread posts functions. They run on the event loop on which the work was started (in a notebook, the kernel's), so
that a widget changes in the thread that also answers its browser; or in `Worker.wait`, where its caller blocks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable

POLL_S = 0.05
"""Seconds between two looks at whether work that posts nothing has ended."""
END_S = 5.0
"""Seconds given to the work to end when the worker is closed."""


class Cancelled(Exception):
    """The work is out of date."""


class Job:
    """One piece of work. Once it is cancelled, nothing that it posts is applied."""

    def __init__(self, worker: Worker) -> None:
        self.done = threading.Event()
        self.quiet = False
        """Whether its result is shown already, so that its further steps are not."""
        self.stop: Callable[[], None] | None = None
        """Ends what the work is waiting for, if it can be ended; called in another thread."""
        self._cancelled = threading.Event()
        self._worker = worker
        self._loop = running_loop()

    @property
    def cancelled(self) -> bool:
        """Whether the work is out of date."""
        return self._cancelled.is_set()

    def cancel(self, *, at_once: bool = False) -> None:
        """Drop the work at its next step; with `at_once`, also end the step that runs, where it can be ended."""
        self._cancelled.set()
        stop = self.stop
        if at_once and stop and not self.done.is_set():
            stop()

    def check(self) -> None:
        """Raise `Cancelled` if the work is out of date."""
        if self.cancelled:
            raise Cancelled

    def step(self, text: str, progress: float) -> None:
        """Say what the work does now, and which part of it is done, 0..1. Raises `Cancelled` if it is out of date."""
        self.check()
        if not self.quiet:
            self.post(lambda: self._worker.show_step(text, progress))

    def post(self, apply: Callable[[], None]) -> None:
        """Have `apply` called in the thread that started the work, unless the work is cancelled before that."""
        self._worker.posted.put((self, apply))
        if self._loop:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody looks any more
                self._loop.call_soon_threadsafe(self._worker.apply_posted)


class Worker:
    """The thread, started when first needed. The latest job is `job`; `show_step` is called with what it does."""

    def __init__(self, show_step: Callable[[str, float], None]) -> None:
        self.show_step = show_step
        self.posted: queue.SimpleQueue[tuple[Job, Callable[[], None]]] = queue.SimpleQueue()
        self.job: Job | None = None
        self._work: queue.SimpleQueue[tuple[Job, Callable[[Job], None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._applying = threading.RLock()

    def start(self, work: Callable[[Job], None]) -> Job:
        """Cancel the latest job and start another one, which calls `work` with it."""
        if self.job:
            self.job.cancel()
        self.job = job = Job(self)
        self._work.put((job, work))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="fns-lab-preview", daemon=True)
            self._thread.start()
        return job

    def later(self, work: Callable[[], None]) -> None:
        """Call `work` in the thread once what was started has ended; not at all where no thread runs."""
        if self._thread:
            self._work.put((Job(self), lambda job: work()))

    def wait(self, timeout_s: float | None = None) -> None:
        """Apply what the latest job posts until it has ended; after `timeout_s` seconds return all the same."""
        job, end = self.job, time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        while job and not job.done.is_set() and time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                self._apply(*self.posted.get(timeout=POLL_S))
        self.apply_posted()

    def apply_posted(self) -> None:
        """Apply what was posted so far."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._apply(*self.posted.get_nowait())

    def close(self) -> None:
        """Cancel the latest job and end the thread."""
        if self.job:
            self.job.cancel(at_once=True)
        thread, self._thread = self._thread, None
        if thread:
            self._work.put(None)
            thread.join(END_S)

    def _apply(self, job: Job, apply: Callable[[], None]) -> None:
        with self._applying:
            if not job.cancelled:
                apply()

    def _run(self) -> None:
        while item := self._work.get():
            job, work = item
            try:
                if not job.cancelled:
                    work(job)
            except Cancelled:
                pass
            finally:
                job.done.set()
            del item, job, work  # else the latest images are held until the next job


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, None if there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
