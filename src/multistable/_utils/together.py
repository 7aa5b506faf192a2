"""`together`: a call that all processes of a group make, and succeed or fail in together."""

import functools
import inspect
import numbers
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, Union

from torch import Tensor, distributed

from multistable._utils.processes import ALONE, Processes, _current

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["Group", "together"]

Group = Union["ProcessGroup", Literal["alone"], None]
"""The processes that make a call: those of a group, this one alone, or by default those of the default group."""

P = ParamSpec("P")
R = TypeVar("R")

_WAIT = 120.0  # seconds within which all processes come to a call
_OWN = ("module", "inputs", "generator", "progress", "process_group")  # what may differ between processes


def together(call: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function with an argument `process_group`, so that all of its processes call it, or none.

    Within the call `current()` is these processes. What is raised in one is raised in all.

    Raises:
        TypeError: `process_group` is no group.
        ValueError: this process is not in the group, or an argument is not the same in all of them.
        TimeoutError: others have not called the function.
        RuntimeError: they called another one.
    """
    signature = inspect.signature(call)

    @functools.wraps(call)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        # Given states are gathered from nobody.
        given = kwargs.get("states") is not None
        processes = ALONE if given else _processes(kwargs.get("process_group"))
        token = _current.set(processes)
        try:
            if processes.size == 1:
                return call(*args, **kwargs)
            _meet(processes, call.__name__)
            try:
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                _compare(processes, bound.arguments)
                result = call(*args, **kwargs)
                processes.exchange("the end", None)
            except Exception as error:
                processes.fail(error)
                raise
            return result
        finally:
            _current.reset(token)

    return called


def _processes(group: Any) -> Processes:
    """The processes of a group, of the default group, or this one alone."""
    if group == "alone" or (group is None and not (distributed.is_available() and distributed.is_initialized())):
        return ALONE
    if group is None:
        group = distributed.group.WORLD
    elif group == distributed.GroupMember.NON_GROUP_MEMBER:
        raise ValueError("process_group must be a group that this process is in, got one that it is not in")
    elif not isinstance(group, distributed.ProcessGroup):
        raise TypeError(f"process_group must be a ProcessGroup, 'alone' or None, got {group!r}")
    return Processes(group)


def _meet(processes: Processes, name: str) -> None:
    """Wait until all have come.

    They meet by way of the store, which every backend has: a collective operation that some do not join would block the
    group for good, and those that did not come would take it for one of their own.
    """
    group = processes.group
    assert group is not None
    store = distributed.distributed_c10d._get_default_store()

    def calls(rank: int, add: int = 0) -> int:
        """How many calls a process has come to."""
        count: int = store.add(f"multistable/{group.group_name}/{rank}", add)
        return count

    this = calls(processes.rank, 1)
    missing = [rank for rank in range(processes.size) if rank != processes.rank]
    end = time.monotonic() + _WAIT
    while missing := [rank for rank in missing if calls(rank) < this]:
        if time.monotonic() > end:
            calls(processes.rank, -1)
            those = ", ".join(map(str, missing))
            raise TimeoutError(
                f"{name} must be called by all {processes.size} processes of the group, but within {_WAIT:g} s "
                f"{those} did not call it: call it in all of them, with torch.distributed.barrier() before it where "
                "they come late, or pass process_group='alone' for what one process does on its own"
            )
        time.sleep(0.005)
    names = processes.exchange("call", name)
    if len(set(names)) > 1:
        got = ", ".join(f"{one} in process {rank}" for rank, one in enumerate(names))
        raise RuntimeError(f"processes must make the same call, got {got}")


def _compare(processes: Processes, arguments: dict[str, Any]) -> None:
    """Raise in every process unless the arguments that must be the same are."""
    mine = {name: _comparable(value) for name, value in arguments.items() if name not in _OWN}
    first, *others = processes.exchange("arguments", mine)
    for rank, other in enumerate(others, 1):
        for name, value in first.items():
            if repr(other[name]) != repr(value):
                raise ValueError(
                    f"{name} must be the same in all processes, got {value!r} in process 0 and {other[name]!r} in "
                    f"process {rank}"
                )


def _comparable(value: Any) -> Any:
    """What can be compared between processes; None for anything else."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, numbers.Real):  # of NumPy
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    if isinstance(value, Tensor) and not value.is_meta:
        return value.tolist()
    return list(value) if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value) else None
