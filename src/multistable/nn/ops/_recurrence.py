"""`Recurrence`: everything there is to know about a recurrence, and how to run it over sequences."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable._utils.checks import check_int
from multistable.nn.ops._flops import register_flops
from multistable.nn.ops._gates import Hardness, as_hardness
from multistable.nn.ops._hold import Hold, as_hold
from multistable.nn.ops._operator import Backward, Forward, Run, as_operator
from multistable.nn.ops._path import choose
from multistable.nn.ops._plain import is_plain, scan
from multistable.nn.ops._rows import step_sizes

__all__ = ["Recurrence", "Step"]

Step = Callable[[Tensor, Tensor, Tensor, Hardness], Tensor]
"""(drive (B, bias_gates * H), h (B, S), weight_hh, hardness) -> h' (B, S), where the drive is W_ih x + b."""


@dataclass(frozen=True)
class Recurrence:
    """A recurrence. Called, it goes through sequences on the fast path; `reference` does the same in plain operations.

    Attributes:
        name: what it is called, also as torch's operator `multistable::<name>`.
        gates: G, how many times H the rows of `weight_ih` are.
        bias_gates: how many times H the bias is long: more than G where a bias stands inside a product. By default G.
        parts: how many tensors of H make up a state, side by side: S = parts * H.
        recurrent_shape: the shape of `weight_hh`, given H.
        step: the formula of one step.
        forward: fills `states` of what it is given with those after each step, and returns the gates (N, bias_gates,
            H), in the form that `backward` takes.
        backward: (a chunk of steps, weight_hh) -> what the chunk gives for the gradients of the gates before their
            nonlinearity (N, bias_gates, H), those of `weight_ih` first, and of weight_hh. It hands `after` on to
            `earlier`, step by step.
    """

    name: str
    gates: int
    recurrent_shape: Callable[[int], tuple[int, int]]
    step: Step
    forward: Forward
    backward: Backward
    bias_gates: int = 0
    parts: int = 1
    _operator: Run = field(init=False, repr=False, compare=False)
    _hold: Hold = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.bias_gates == 0:
            object.__setattr__(self, "bias_gates", self.gates)
        operator = as_operator(self.name, self.bias_gates, self.forward, self.backward)
        object.__setattr__(self, "_operator", operator)
        object.__setattr__(self, "_hold", as_hold(self.name, self.step))
        register_flops(self.name, self.recurrent_shape)
        object.__setattr__(self, "__module__", "multistable.nn.ops")

    def __reduce__(self) -> str:
        return self.name  # in that module: pickled and copied as a function is, by reference

    def __call__(
        self,
        inputs: Tensor,
        h: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor | None = None,
        batch_sizes: Tensor | None = None,
        hardness: Hardness = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Go through sequences, on the fast path.

        Args:
            inputs: (T, B, I), or the rows (N, I) of a `PackedSequence` with its batch sizes.
            h: the states to start from, (B, S).
            weight_ih: (G * H, I).
            weight_hh: of the shape `recurrent_shape(H)`.
            bias: (bias_gates * H,).
            batch_sizes: those of a `PackedSequence`, on the CPU.
            hardness: of the gates that keep, a number or a tensor of one; 0 is the sigmoid.

        Returns:
            h after each step, (T, B, H) or (N, H), and the last state of each sequence, (B, S).

        Raises:
            TypeError: the type is not a floating-point one, or `hardness` not a number.
            ValueError: shapes, types or devices do not fit together, or `hardness` is negative or not finite (a tensor
                on a GPU is not looked at).
            NotImplementedError: a second or forward-mode derivative is asked for, or packed sequences are traced for
                TorchScript or exported to ONNX.
        """
        self._check(inputs, h, weight_ih, weight_hh, bias, batch_sizes, hardness)
        if is_plain(self.name, batch_sizes):
            as_hardness(hardness)  # raises for one that is none
            return scan(self.step, self.drive(inputs, weight_ih, bias), h, weight_hh, hardness)
        path, _ = choose(self.name, weight_hh)
        return self._operator(inputs, h, weight_ih, weight_hh, bias, batch_sizes, as_hardness(hardness), path)

    def path(self, weight_hh: Tensor) -> str:
        """Which way a call takes with such recurrent weights: that depends on their device, dtype and size alone.

        Args:
            weight_hh: the recurrent weights.

        Returns:
            "plain", with the reason in parentheses, or the kernels' form and the precision of their products, as in
            "triton resident tf32".

        Examples:
            >>> import torch
            >>> from multistable.nn import NBRC
            >>> from multistable.nn.ops import nbrc
            >>> nbrc.path(NBRC(3, 32).weight_hh_l0)
            'plain (on cpu)'
        """
        path, reason = choose(self.name, weight_hh)
        return f"{path} ({reason})" if reason else path

    def hold(self, drive: Tensor, h: Tensor, weight_hh: Tensor, steps: int, hardness: Hardness = 0.0) -> Tensor:
        """The state after a number of steps under a constant drive, without a derivative of any kind.

        A kernel keeps nothing of the steps between; the plain path is a loop over `step`.

        Args:
            drive: W_ih u + b, as `drive` gives it, (bias_gates * H,).
            h: the states to start from, (B, S).
            weight_hh: of the shape `recurrent_shape(H)`.
            steps: how many.
            hardness: as in a call.

        Returns:
            The states, (B, S).

        Raises:
            TypeError: as a call does, or `steps` is not an int.
            ValueError: as a call does, or `steps` is negative.
        """
        if h.dim() != 2 or h.shape[1] % self.parts > 0:
            form = "H" if self.parts == 1 else f"{self.parts} * H"
            raise ValueError(f"h of {self.name} must be (B, {form}), got shape {tuple(h.shape)}")
        hidden_size = h.shape[1] // self.parts
        self._match(
            "weight_hh",
            weight_hh,
            hardness,
            ("drive", drive, (self.bias_gates * hidden_size,)),
            ("h", h, h.shape),
            ("weight_hh", weight_hh, self.recurrent_shape(hidden_size)),
        )
        check_int("steps", steps, at_least=0)
        path, _ = choose(self.name, weight_hh)
        with torch.no_grad():
            return self._hold(drive, h, weight_hh, as_hardness(hardness), steps, path)

    def reference(
        self,
        inputs: Tensor,
        h: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor | None = None,
        batch_sizes: Tensor | None = None,
        hardness: Hardness = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """The same as a loop over `step`: slow, and differentiable any number of times."""
        drive = self.drive(inputs, weight_ih, bias)
        states, ended = [], []
        for now in drive.flatten(0, -2).split(step_sizes(inputs, batch_sizes)):
            ended.append(h[len(now) :])
            h = self.step(now, h[: len(now)], weight_hh, hardness)
            states.append(h[:, : weight_hh.shape[1]])
        return torch.cat(states).view(*inputs.shape[:-1], -1), torch.cat([h, *ended[::-1]])

    def drive(self, inputs: Tensor, weight_ih: Tensor, bias: Tensor | None) -> Tensor:
        """What drives the gates from outside, (..., bias_gates * H): W_ih x + b, in some gates b alone."""
        hidden_size = len(weight_ih) // self.gates
        if self.bias_gates > self.gates:
            weight_ih = F.pad(weight_ih, (0, 0, 0, (self.bias_gates - self.gates) * hidden_size))
        return F.linear(inputs, weight_ih, bias)

    def _check(
        self,
        inputs: Tensor,
        h: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor | None,
        batch_sizes: Tensor | None,
        hardness: Hardness,
    ) -> None:
        """Raise unless the arguments fit together."""
        rank = 3 if batch_sizes is None else 2
        if inputs.dim() != rank or inputs.shape[0] == 0:
            form = "(T, B, I)" if batch_sizes is None else "(N, I) with batch_sizes"
            raise ValueError(
                f"inputs of {self.name} must be {form} of at least one step, got shape {tuple(inputs.shape)}"
            )
        batch = inputs.shape[1] if batch_sizes is None else batch_sizes[0]
        form = "H" if self.parts == 1 else f"{self.parts} * H"
        if h.dim() != 2 or h.shape[0] != batch or h.shape[1] % self.parts > 0:
            raise ValueError(f"h of {self.name} must be ({int(batch)}, {form}), got shape {tuple(h.shape)}")
        hidden_size = h.shape[1] // self.parts
        self._match(
            "weight_ih",
            weight_ih,
            hardness,
            ("inputs", inputs, inputs.shape),
            ("h", h, h.shape),
            ("weight_ih", weight_ih, (self.gates * hidden_size, inputs.shape[-1])),
            ("weight_hh", weight_hh, self.recurrent_shape(hidden_size)),
            ("bias", bias, (self.bias_gates * hidden_size,)),
        )

    def _match(
        self, name: str, like: Tensor, hardness: Hardness, *expected: tuple[str, Tensor | None, tuple[int, ...]]
    ) -> None:
        """Raise unless tensors have the shapes beside them, and dtype and device of the one called `name`."""
        for argument, given, shape in expected:
            if given is not None and given.shape != shape:
                raise ValueError(f"{argument} of {self.name} must be {shape}, got shape {tuple(given.shape)}")
        for argument, given, _ in expected:
            if given is not None and (given.dtype != like.dtype or given.device != like.device):
                raise ValueError(
                    f"{argument} of {self.name} must have {name}'s dtype and device ({like.dtype}, {like.device}), "
                    f"got {given.dtype}, {given.device}"
                )
        if not like.is_floating_point():
            raise TypeError(f"{name} of {self.name} must be of a floating-point type, got {like.dtype}")
        if isinstance(hardness, Tensor) and hardness.device not in (torch.device("cpu"), like.device):
            raise ValueError(
                f"hardness of {self.name} must be on the CPU or {name}'s device ({like.device}), got {hardness.device}"
            )
