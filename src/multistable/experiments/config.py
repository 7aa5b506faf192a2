"""The settings of one run, checked before anything runs."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from multistable._utils.checks import check_fraction, check_int, check_not_negative, check_rate
from multistable._utils.choices import check_choice, nearest
from multistable._utils.wording import shown
from multistable.tasks import TASKS, Task

__all__ = ["CELLS", "INITS", "Config", "is_possible", "variant_keys"]

CELLS = ("rnn", "gru", "lstm", "mgu", "brc", "nbrc")

INITS: dict[str, tuple[str, ...]] = {
    "default": CELLS,
    "chrono": ("gru", "lstm", "mgu", "brc", "nbrc"),
    "bistable": ("rnn", "gru", "lstm", "mgu"),
}
"""The initialisers, and the cells that each has a meaning for."""

_HARDNESS = 0.3  # that a variant called hard ends with
_HARDENING = ("hardness", "hardening_start", "hardening_end")


@dataclass(frozen=True)
class Config:
    """The settings of one run: what decides its result, and nothing else.

    Defaults are the paper's settings (Lambrechts et al. 2023, arXiv:2106.01001). Keys that a task does not have stay
    None.

    Attributes:
        task: `"copy_first_input"`, `"denoising"`, `"pixels"`, `"permuted_pixels"`, `"permuted_rows"`, `"flip_flop"` or
            `"t_maze"`.
        length: T, steps in a sequence; for all tasks but images. Of a T-Maze L, the steps to its junction.
        forgetting: N, steps at the end without a value to remember; for denoising.
        padding: N, steps that follow an image; for images, 0 by default.
        padding_value: what they hold; by default -0.5, black.
        source: `"digits"`, the default, or `"mnist"`; for images.
        cache: the folder that MNIST is kept in; by default that of scikit-learn.
        samples: sequences to train and validate with; 60,000 by default, and for images all that there are.
        test_samples: sequences to test with; 10,000 by default, and for images all that there are.
        episodes: those that an agent learns from in a T-Maze; 2,000 by default.
        cell: `"rnn"`, `"gru"`, `"lstm"`, `"mgu"`, `"brc"` or `"nbrc"`.
        layers: recurrent layers.
        hidden: H, hidden units in a layer.
        double: whether layers are double layers, of which a warmup touches the first half alone.
        init: `"default"`: what the paper starts the cell from, and torch's own weights for an RNN. `"chrono"`: the same
            with gates for memories as long as a sequence, for all but an RNN. `"bistable"`: the same with bistable
            units, for all but BRC and nBRC.
        warmup: whether there is a multistability warmup before training.
        warmup_steps: its steps.
        warmup_lr: its learning rate.
        warmup_target: the VAA* that it aims at.
        warmup_horizon: the longest time under its constant inputs.
        warmup_max_prefix: its longest prefix; null for whole sequences.
        hardness: of the gates that keep, at the end of training; 0 by default, for ordinary gates. For all but an RNN.
        hardening_start: the share of training after which they begin to harden.
        hardening_end: the share after which they are as hard as they get.
        lr: Adam's learning rate in training.
        batch_size: B, sequences in a batch, in the warmup too. In a T-Maze, transitions in an update.
        epochs: how many times training goes through the sequences; 50 by default, and none in a T-Maze.
        validation: the share of `samples` to validate with; 0.2 by default, and none in a T-Maze.
        evaluation_lengths: at which other lengths to test: values of `length`, for denoising of `forgetting` (what
            comes before the forgetting period keeps its length), for images of `padding`.
        measure_every: epochs from one measure of VAA to the next; there is one before and after training in any case.
            In a T-Maze, evaluations.
        measure_n: states in a measure, and in the search for attractors after training.
        measure_horizon: steps under a constant input in a measure.
        attractors_horizon: steps after which the search for attractors gives a trajectory up.
        seed: all that is random stems from it.
        device: `"cpu"` or `"cuda"`.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of its range, a key is missing, does not belong to the task, or does not go with
            another.

    Examples:
        >>> from multistable.experiments.config import Config
        >>> Config(task="copy_first_input", length=50, cell="lstm", init="chrono").name
        'copy_first_input/lstm/chrono/T50/seed-0'
    """

    task: str
    length: int | None = None
    forgetting: int | None = None
    padding: int | None = None
    padding_value: float | None = None
    source: str | None = None
    cache: str | None = None
    samples: int | None = None
    test_samples: int | None = None
    episodes: int | None = None
    cell: str = "gru"
    layers: int = 2
    hidden: int = 256
    double: bool = False
    init: str = "default"
    warmup: bool = False
    warmup_steps: int = 100
    warmup_lr: float = 1e-2
    warmup_target: float = 0.95
    warmup_horizon: int = 200
    warmup_max_prefix: int | None = 30
    hardness: float = 0.0
    hardening_start: float = 0.5
    hardening_end: float = 0.8
    lr: float = 1e-3
    batch_size: int = 32
    epochs: int | None = None
    validation: float | None = None
    evaluation_lengths: tuple[int, ...] = ()
    measure_every: int = 1
    measure_n: int = 100
    measure_horizon: int = 2000
    attractors_horizon: int = 10_000
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_choice("task", self.task, tuple(TASKS))
        self._fill_in()
        self._check_network()
        self._check_training()
        self._check_evaluation_lengths()

    def _fill_in(self) -> None:
        """Give the task's own keys their defaults; raise if one is missing, wrong or belongs to another task."""
        own = _keys_of(TASKS[self.task])
        for key in sorted(_foreign_to(TASKS[self.task])):
            if getattr(self, key) is not None:
                raise ValueError(f"{key} does not belong to the task {self.task}, which has {', '.join(own)}")
        for key, default in own.items():
            if getattr(self, key) is None:
                if default is MISSING:
                    raise ValueError(f"{key} is missing: the task {self.task} needs it")
                object.__setattr__(self, key, default)
        _ = self.of_task  # which checks its values

    def _check_network(self) -> None:
        check_choice("cell", self.cell, CELLS)
        check_int("layers", self.layers)
        check_int("hidden", self.hidden)
        _check_flag("double", self.double)
        if self.double and self.hidden % 2:
            raise ValueError(f"hidden must be even where double is true, got {self.hidden}")
        check_choice("init", self.init, tuple(INITS))
        if not is_possible(self.cell, self.init):
            raise ValueError(
                f"init must be one that the cell {self.cell} has a meaning for, got {self.init!r}, "
                f"which is for {', '.join(INITS[self.init])}"
            )
        for key in _HARDENING:
            object.__setattr__(self, key, check_not_negative(key, getattr(self, key)))
        if self.hardness > 0 and self.cell == "rnn":
            raise ValueError("hardness is of gates, and the cell rnn has none")
        if not self.hardening_start < self.hardening_end <= 1:
            given = f"{self.hardening_start} and {self.hardening_end}"
            raise ValueError(f"hardening_start must come before hardening_end, and that be at most 1, got {given}")
        if self.init == "chrono" and self.length == 1:
            raise ValueError("init chrono needs a length of at least 2, got 1")

    def _check_training(self) -> None:
        _check_flag("warmup", self.warmup)
        for key in ("warmup_steps", "warmup_horizon", "measure_every", "measure_horizon"):
            check_int(key, getattr(self, key))
        if self.warmup_max_prefix is not None:
            check_int("warmup_max_prefix", self.warmup_max_prefix)
        for key in ("batch_size", "measure_n"):
            check_int(key, getattr(self, key), at_least=2)
        check_int("attractors_horizon", self.attractors_horizon, at_least=128)
        check_int("seed", self.seed, at_least=0)
        for key in ("lr", "warmup_lr"):
            check_rate(key, getattr(self, key))
        check_fraction("warmup_target", self.warmup_target)
        check_choice("device", self.device, ("cpu", "cuda"))

    def _check_evaluation_lengths(self) -> None:
        if not isinstance(self.evaluation_lengths, tuple | list):
            raise TypeError(f"evaluation_lengths must be a list, got {shown(self.evaluation_lengths)}")
        object.__setattr__(self, "evaluation_lengths", tuple(self.evaluation_lengths))
        for length in self.evaluation_lengths:
            try:
                self.at(length)
            except (TypeError, ValueError) as error:
                raise type(error)(f"evaluation_lengths holds {shown(length)}: {error}") from error

    @property
    def variant(self) -> str:
        """What sets the run apart from others of its cell, such as `"double+warmup"`; otherwise `"plain"`."""
        parts = {
            self.init: self.init != "default",
            "double": self.double,
            "warmup": self.warmup,
            "hard": self.hardness > 0,
        }
        return "+".join(part for part, present in parts.items() if present) or "plain"

    @cached_property
    def of_task(self) -> Task:
        """The task, with the values of its own keys."""
        kind = TASKS[self.task]
        return kind(**{key: getattr(self, key) for key in _keys_of(kind)})

    @property
    def setting(self) -> str:
        """The task's own numbers in a word, such as `"T400-N100"`."""
        return self.of_task.setting

    @property
    def name(self) -> str:
        """Where the run's folder lies among others: task, cell, variant, setting and seed."""
        return f"{self.task}/{self.cell}/{self.variant}/{self.setting}/seed-{self.seed}"

    @property
    def horizon(self) -> int:
        """How long is to be remembered: the value that `evaluation_lengths` lists others of."""
        return self.of_task.horizon

    def at(self, length: int) -> "Config":
        """The same with another value of what `evaluation_lengths` lists."""
        other = self.of_task.at(length)
        changes = {key: getattr(other, key) for key in _keys_of(type(other))}
        return replace(self, **changes, evaluation_lengths=())

    def to_dict(self) -> dict[str, Any]:
        """The keys that the task has, in types that YAML and JSON know; those of hardening where there is any."""
        foreign = _foreign_to(TASKS[self.task]).union(_HARDENING if self.hardness == 0 else ())
        values = {key: value for key, value in asdict(self).items() if key not in foreign}
        return {**values, "evaluation_lengths": list(self.evaluation_lengths)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Config":
        """Settings from a mapping.

        Raises:
            TypeError: `values` is no mapping, or a value has the wrong type.
            ValueError: a key is unknown; and what `Config` raises.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"a configuration must be a mapping of keys to values, got {type(values).__name__}")
        known = [field.name for field in fields(Config)]
        for key in values:
            if key not in known:
                raise ValueError(f"unknown key {shown(key)}{nearest(str(key), known)}")
        if "task" not in values:
            raise ValueError(f"task is missing: one of {', '.join(TASKS)}")
        return Config(**values)


def variant_keys(variant: str) -> dict[str, Any]:
    """The keys that make a variant such as `"double+warmup"`; the inverse of `Config.variant`.

    Raises:
        ValueError: the variant is not made of plain, chrono, bistable, double, warmup and hard.

    Examples:
        >>> from multistable.experiments.config import variant_keys
        >>> variant_keys("double+warmup")
        {'init': 'default', 'double': True, 'warmup': True, 'hardness': 0.0}
    """
    parts = [] if variant == "plain" else str(variant).split("+")
    inits = [part for part in parts if part in INITS and part != "default"]
    unknown = set(parts) - {"double", "warmup", "hard", *inits}
    if unknown or len(inits) > 1 or len(set(parts)) < len(parts):
        raise ValueError(
            "a variant must be plain, or made of chrono or bistable, double, warmup and hard with + in between, "
            f"got {shown(variant)}"
        )
    return {
        "init": inits[0] if inits else "default",
        "double": "double" in parts,
        "warmup": "warmup" in parts,
        "hardness": _HARDNESS if "hard" in parts else 0.0,
    }


def is_possible(cell: str, init: str) -> bool:
    """Whether an initialiser has a meaning for a cell."""
    return cell in INITS[init]


def _check_flag(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{key} must be true or false, got {shown(value)}")


def _keys_of(task: type[Task]) -> dict[str, Any]:
    """The keys of a configuration that belong to a task, and their defaults; one that must be given has `MISSING`."""
    defaults = {field.name: field.default for field in fields(task)}
    return {field.name: defaults[field.name] for field in fields(Config) if field.name in defaults}


def _foreign_to(task: type[Task]) -> set[str]:
    """The keys that belong to other tasks alone."""
    return {key for other in TASKS.values() for key in _keys_of(other)} - _keys_of(task).keys()
