"""`Processes`: those of a process group of torch's, which hold replicas of a module and make a call together.

Every word between them is one `exchange`. A process that fails says so in place of what it has to say next, so that the
others, which wait for it there, raise too. Tensors are summed right after an exchange alone: nothing fails in between.
"""

import builtins
from collections.abc import Iterable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor, distributed

from multistable._utils.randomness import draw_seed
from multistable._utils.share import Share, dealt

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["ALONE", "Processes", "current"]

T = TypeVar("T")


class _Said(NamedTuple):
    """What a process has to say, on what; or the kind of an error and its message."""

    what: str
    value: Any
    failed: tuple[str, str] | None = None


class Processes:
    """The processes of a group, in the order of their ranks; without a group this one alone, which talks to nobody.

    Attributes:
        group: the group; None for a process alone.
        rank: which of them this is.
        size: how many there are.
    """

    def __init__(self, group: "ProcessGroup | None" = None) -> None:
        self.group = group
        self.rank = 0 if group is None else distributed.get_rank(group)
        self.size = 1 if group is None else distributed.get_world_size(group)
        self._over = False  # whether the others have nothing more to hear from this process

    def exchange(self, what: str, value: T) -> list[T]:
        """What each process has to say on the same thing.

        Raises:
            Exception: another process has failed; of the same kind if it is one of Python's own, otherwise a
                `RuntimeError`.
            RuntimeError: the processes speak of different things.
        """
        if self.size == 1:
            return [value]
        said = self._say(_Said(what, value))
        for rank, one in enumerate(said):
            if one.failed is not None:
                kind, message = one.failed
                raise _kind(kind)(f"process {rank} of {self.size} failed: {message}")
        if {one.what for one in said} != {what}:
            got = ", ".join(f"{one.what!r} in process {rank}" for rank, one in enumerate(said))
            raise RuntimeError(f"processes must go through the same steps, with inputs of the same form, got {got}")
        self._over = False
        return [one.value for one in said]

    def fail(self, error: Exception) -> None:
        """Tell the others of an error, unless it is theirs."""
        if not self._over:
            with suppress(RuntimeError):  # those that are gone need not be told
                self._say(_Said("", None, (type(error).__name__, str(error))))

    def _say(self, said: _Said) -> list[_Said]:
        self._over = True  # until it is known that all go on
        answers: list[Any] = [None] * self.size
        distributed.all_gather_object(answers, said, group=self.group)
        return answers

    def shared(self, generator: torch.Generator) -> torch.Generator:
        """A generator that draws the same in all processes: what that of the first one would draw.

        Each process's own moves on by a draw.
        """
        if self.size == 1:
            return generator
        device, state = self.exchange("generator", (generator.device.type, generator.get_state()))[0]
        draw_seed(generator)
        return torch.Generator(device).set_state(state)

    def own(self, generator: torch.Generator) -> torch.Generator:
        """A generator that draws something else in each process, seeded by one draw from a shared one."""
        return generator if self.size == 1 else torch.Generator().manual_seed(draw_seed(generator) + self.rank)

    def aside(self, generator: torch.Generator) -> torch.Generator:
        """The same, without a draw."""
        return generator if self.size == 1 else self.own(generator.clone_state())

    def share(self, count: int) -> Share:
        """Which rows of all processes this one has, if it has so many."""
        return dealt(self.exchange("sequences to draw from", count), self.rank)

    def gathered(self, rows: Tensor, share: Share) -> Tensor:
        """The rows of all processes, (total, S); the gradient goes to this one's own (b, S) alone."""
        if self.size == 1:
            return rows
        whole = rows.new_zeros(share.total, *rows.shape[1:]).detach()
        places = share.places.to(rows.device)
        whole[places] = rows.detach()
        self.exchange("states", None)
        distributed.all_reduce(whole, group=self.group)  # each row is a sum of zeros and one other: exact
        return whole.index_copy(0, places, rows) if rows.requires_grad else whole

    def summed(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The sums over all processes."""
        if self.size == 1:
            return tensors
        sums = [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in tensors]
        self.exchange("gradients", None)
        for one in sums:
            distributed.all_reduce(one, group=self.group)
        return sums

    @torch.no_grad()
    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Take over the first process's values, in place: rounding may differ between kinds of processors."""
        if self.size == 1:
            return
        self.exchange("parameters", None)
        assert self.group is not None
        for tensor in tensors:
            values = tensor.detach().contiguous()
            distributed.broadcast(values, distributed.get_global_rank(self.group, 0), group=self.group)
            tensor.copy_(values)


ALONE = Processes()
"""One process on its own."""

_current: ContextVar[Processes] = ContextVar("processes", default=ALONE)


def current() -> Processes:
    """The processes that make the call that is being worked on."""
    return _current.get()


def _kind(name: str) -> type[Exception]:
    """The error of Python's of that name, if it takes a message alone."""
    kind = getattr(builtins, name, RuntimeError)
    simple = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError | OSError)
    return kind if simple else RuntimeError
