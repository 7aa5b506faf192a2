"""Seeded data sets that ask for memory; `images` needs the extra of that name, the others none.

Each says what it asks, its metric and what that is by chance, without memory.

Examples:
    >>> from torch.utils.data import DataLoader
    >>> from multistable.tasks import copy_first_input
    >>> sequences, targets = next(iter(DataLoader(copy_first_input(length=50, size=64, generator=0), batch_size=32)))
    >>> sequences.shape, targets.shape
    (torch.Size([32, 50, 1]), torch.Size([32, 1]))
"""

from multistable.tasks._copy_first_input import CopyFirstInput, copy_first_input, copy_first_input_stream
from multistable.tasks._curriculum import Curriculum
from multistable.tasks._denoising import Denoising, denoising, denoising_stream
from multistable.tasks._flip_flop import FlipFlop, flip_flop, flip_flop_stream
from multistable.tasks._images import Images, PermutedPixels, PermutedRows, Pixels, images
from multistable.tasks._t_maze import TMaze
from multistable.tasks.stream import Stream
from multistable.tasks.task import Score, Supervised, Task

__all__ = [
    "TASKS",
    "CopyFirstInput",
    "Curriculum",
    "Denoising",
    "FlipFlop",
    "Images",
    "PermutedPixels",
    "PermutedRows",
    "Pixels",
    "Score",
    "Stream",
    "Supervised",
    "TMaze",
    "Task",
    "copy_first_input",
    "copy_first_input_stream",
    "denoising",
    "denoising_stream",
    "flip_flop",
    "flip_flop_stream",
    "images",
]

_ALL: tuple[type[Task], ...] = (
    CopyFirstInput,
    Denoising,
    Pixels,
    PermutedPixels,
    PermutedRows,
    FlipFlop,
    TMaze,
)
TASKS: dict[str, type[Task]] = {task.name: task for task in _ALL}
"""The tasks of experiments, by the names that configurations give them."""
