"""Ray for as long as a sweep lasts: started, and ended with all its processes whatever ends the sweep."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["started"]


@contextmanager
def started(ray: Any, workers: int | None, address: str | None) -> Iterator[None]:
    """In the block there is a Ray on this machine, or a connection to the cluster at `address`.

    Ctrl-C is raised in the block as `KeyboardInterrupt`, and a SIGTERM as `SystemExit`: Ray would end the process in
    ways of its own.

    Raises:
        ConnectionError: Ray can't be started, or there is no cluster at `address`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # which prints even where it is to be silent
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # which would wait for the end of what is running
    with _signals_noted() as noted:
        try:
            _start(ray, workers, address)
            noted.heed()
            yield
        except KeyboardInterrupt as error:
            if signal.SIGTERM in noted.numbers:
                raise SystemExit(128 + signal.SIGTERM) from error
            raise
        finally:
            ray.shutdown()


def _start(ray: Any, workers: int | None, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            # Not a cluster that happens to be there, which Ray would rather join.
            ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
        else:
            _check_reachable(address)
            ray.init(address=address, **quiet)
    except Exception as error:
        what = "Ray can't be started" if address is None else f"no Ray cluster can be reached at address {address!r}"
        raise ConnectionError(f"{what}: {error}") from error


def _check_reachable(address: str) -> None:
    """Raise if nobody listens at `host:port`, which Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


class _Noted:
    """The signals that were sent; each is raised as Ctrl-C is, as Ray would meet a `SystemExit` with its own status.

    Before `heed` they are noted alone: a start that is broken off leaves processes behind.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._heeding = False

    def heed(self) -> None:
        self.take(signal.SIGTERM)  # from Ray, which took it when it started
        self._heeding = True
        if self.numbers:
            raise KeyboardInterrupt

    def take(self, *numbers: int) -> None:
        if threading.current_thread() is threading.main_thread():  # which alone may
            for number in numbers:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.numbers.append(number)
        if self._heeding:
            raise KeyboardInterrupt


@contextmanager
def _signals_noted() -> Iterator[_Noted]:
    """In the block signals are noted; after it they are dealt with as before. One that was ignored still is."""
    noted = _Noted()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    kept = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
    noted.take(*kept)
    try:
        yield noted
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in kept.items():
                signal.signal(number, handler)
