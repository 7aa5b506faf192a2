"""Short sequences first: a curriculum over lengths."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from multistable._utils.checks import check_int
from multistable._utils.randomness import as_generator, draw_seed

__all__ = ["Curriculum"]


class Curriculum:
    """Batches cut to random lengths, short at first: U(shortest, longest so far), which grows to the whole.

    Of step k's batch the first L steps are left, one L for the whole batch, drawn uniformly from `shortest` to a
    maximum that grows evenly from `shortest` at the first step to the sequences' own length at step `steps` and after.
    There is no end: batches are gone through again and again. Iterating anew starts over with the same lengths.

    Targets stay as they are, unless they have as many dimensions and steps as the inputs: it is for you to say whether
    a sequence's beginning asks for the same answer, as that of copy first input does.

    `warmup` and `pretrain` take it as `inputs`. What they measure before and after comes from its first batches, and
    so from short sequences: use `measure` for whole ones.

    Args:
        batches: batches of sequences, or of a tuple or list that begins with them, as a `DataLoader` or a stream of
            `multistable.tasks` yields them; anything that can be iterated again.
        steps: the step from which on whole sequences may come.
        shortest: the shortest length.
        batch_first: whether batches are (B, T, I), or (T, B, I).
        generator: seeds the lengths: a `torch.Generator`, or a seed; by default a new one with torch's initial seed.

    Raises:
        TypeError: `batches` can't be iterated again, `steps` or `shortest` is not an int, `generator` is none of the
            types above; in iteration, if a batch holds no sequences.
        ValueError: `steps` or `shortest` is below 1; in iteration, if there is no batch.

    Examples:
        >>> from itertools import islice
        >>> from multistable.tasks import Curriculum, copy_first_input_stream
        >>> stream = copy_first_input_stream(length=200, batch_size=32, generator=0)
        >>> curriculum = Curriculum(stream, steps=1000, batch_first=True, generator=0)
        >>> lengths = [sequences.shape[1] for sequences, _ in islice(curriculum, 2000)]
        >>> lengths[0], max(lengths[:500]) < 105, max(lengths) > 190
        (5, True, True)
    """

    def __init__(
        self,
        batches: Iterable[Any],
        steps: int,
        *,
        shortest: int = 5,
        batch_first: bool = False,
        generator: torch.Generator | int | None = None,
    ) -> None:
        if not isinstance(batches, Iterable) or isinstance(batches, Iterator):
            raise TypeError(f"batches must be an iterable that can start over, got {type(batches).__name__}")
        self.batches = batches
        self.steps = check_int("steps", steps)
        self.shortest = check_int("shortest", shortest)
        self.dim = 1 if batch_first else 0
        self.seed = draw_seed(as_generator(generator))

    def __iter__(self) -> Iterator[Any]:
        generator = torch.Generator().manual_seed(self.seed)
        step = 0
        while True:
            first = step
            for batch in self.batches:
                yield self._cut(batch, step, generator)
                step += 1
            if step == first:
                raise ValueError("batches must hold at least one batch, got none")

    def _cut(self, batch: Any, step: int, generator: torch.Generator) -> Any:
        inputs = batch[0] if isinstance(batch, list | tuple) and batch else batch
        if not isinstance(inputs, Tensor) or inputs.dim() < 2:
            raise TypeError(f"batches must hold tensors of sequences, got {type(inputs).__name__}")
        whole = inputs.shape[self.dim]
        shortest = min(self.shortest, whole)
        longest = shortest + (whole - shortest) * min(step, self.steps) // self.steps
        length = int(torch.randint(shortest, longest + 1, (), generator=generator))

        def cut(value: Any) -> Any:
            alike = isinstance(value, Tensor) and value.dim() == inputs.dim() and value.shape[self.dim] == whole
            return value.narrow(self.dim, 0, length) if alike else value

        if not isinstance(batch, list | tuple):
            return cut(batch)
        return [*map(cut, batch)] if isinstance(batch, list) else (*map(cut, batch),)
