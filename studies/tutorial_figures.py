"""The figures of the tutorials, drawn from what their code blocks leave behind.

Run: python studies/tutorial_figures.py
"""

import io
import math
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rows import ROOT
from torch import Tensor, nn

from multistable.dynamics import dynamics, states_at

TUTORIALS = ROOT / "docs" / "tutorials"
PLAIN, RAISED, LASTING = "#d55e00", "#0072b2", "#009e73"
STATES = 24


def run(name: str) -> dict[str, Any]:
    """All that a tutorial has defined at its end."""
    names: dict[str, Any] = {"__name__": name}
    for code in re.findall(r"^```python\n(.*?)^```", (TUTORIALS / f"{name}.md").read_text(), re.DOTALL | re.MULTILINE):
        with redirect_stdout(io.StringIO()):
            exec(code, names)
    return names


def courses(module: nn.Module, start: Tensor, horizons: list[int]) -> Tensor:
    """The states after each horizon while nothing comes in, (horizons, states, S)."""
    (layer,) = dynamics(module)
    with torch.no_grad():
        return torch.stack(list(states_at(layer, start, torch.zeros(layer.input_size), horizons)))


def draw_courses(axes: Axes, horizons: list[int], values: Tensor) -> None:
    """A line for each state (horizons, states), in a colour that says where it starts."""
    ranks = values[0].argsort().argsort() / (values.shape[1] - 1)
    for line, rank in zip(values.T.tolist(), ranks.tolist(), strict=True):
        axes.plot(horizons, line, color=colormaps["viridis"](rank), linewidth=1.1)


def warm_up_your_model(found: dict[str, Any]) -> Figure:
    """The losses in training, and VAA over the horizon."""
    drawn = Figure(figsize=(10, 3.6), layout="constrained")
    losses, trace = drawn.subplots(1, 2)
    for name, colour, values in (
        ("without warmup", PLAIN, found["plain_losses"]),
        ("after warmup", RAISED, found["warm_losses"]),
    ):
        losses.plot(values, color=colour, label=name)
    losses.axhline(math.log(4), color="#333333", linewidth=0.8, linestyle=":")
    losses.set(xlabel="training step", ylabel="cross-entropy", ylim=(0, None))
    losses.set_title("What is learned", loc="left", fontsize=11)
    losses.legend(frameon=False)
    for name, colour, one in (
        ("before", PLAIN, found["result"].before),
        ("after warmup", RAISED, found["result"].after),
    ):
        trace.plot(one.trace.horizons, one.trace.vaa, color=colour, marker="o", markersize=3, label=name)
    trace.axvline(50, color="#333333", linewidth=0.8, linestyle=":")
    trace.text(55, 0.3, "length of the task", fontsize=8)
    trace.set(xscale="log", xlabel="steps under a constant input", ylabel="VAA", ylim=(0, 1.05))
    trace.set_title("How many states are still apart", loc="left", fontsize=11)
    trace.legend(frameon=False, loc="center left", bbox_to_anchor=(0, 0.3))
    return drawn


def why_does_it_forget(found: dict[str, Any]) -> Figure:
    """What is read from the states of both networks as time passes, and from their fixed points."""
    drawn = Figure(figsize=(10, 3.6), layout="constrained")
    horizons = sorted({round(10 ** (k / 30)) for k in range(91)})
    panels = zip(
        drawn.subplots(1, 2),
        ("Trained on 15 numbers: one place to rest", "A flip-flop: two, and a saddle between"),
        (found["rnn"], found["switch"]),
        (found["head"], found["readout"]),
        (found["sequences"], found["pulses"].transpose(0, 1)),
        (found["points"], found["between"]),
        strict=True,
    )
    for axes, title, rnn, head, inputs, points in panels:
        (layer,) = dynamics(rnn)
        with torch.no_grad():
            states = courses(rnn, layer.run(inputs[:, :STATES].contiguous()), horizons)
            draw_courses(axes, horizons, head(states)[..., 0])
            for point, unstable in zip(head(points.points.float())[:, 0].tolist(), points.unstable, strict=True):
                style = {"facecolor": "white"} if unstable else {"facecolor": "#333333"}
                axes.scatter(horizons[-1] * 1.25, point, edgecolor="#333333", clip_on=False, zorder=5, **style)
        axes.set(xscale="log", xlim=(1, horizons[-1] * 1.25), xlabel="steps without input", ylabel="answer")
        axes.set_title(title, loc="left", fontsize=11)
    return drawn


def memory_that_lasts(found: dict[str, Any]) -> Figure:
    """Errors against the length of the sequence."""
    drawn = Figure(figsize=(8, 3.6), layout="constrained")
    axes = drawn.subplots()
    lengths = (20, 40, 100, 200, 400, 1000, 2000, 4000, 10_000)
    found["LENGTHS"] = lengths
    for name, colour, model in (
        ("ordinary gates", PLAIN, found["ordinary"]),
        ("hard gates", RAISED, found["hard"]),
        ("hard gates, with a margin", LASTING, found["lasting"]),
    ):
        axes.plot(lengths, found["errors"](model), color=colour, marker="o", markersize=4, label=name)
    axes.axhline(1, color="#333333", linewidth=0.8, linestyle=":")
    axes.text(lengths[-1], 1.15, "chance", ha="right", fontsize=8)
    axes.axvspan(5, 40, color="#333333", alpha=0.08, linewidth=0)
    axes.text(16, 5, "trained", fontsize=8)
    axes.set(xscale="log", yscale="log", xlim=(15, lengths[-1] * 1.1), xlabel="steps", ylabel="mean squared error")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.16, 1))
    return drawn


def t_maze_with_your_agent(found: dict[str, Any]) -> Figure:
    """The share at the goal in training, and which way the agent would turn as it goes on in the corridor."""
    drawn = Figure(figsize=(10, 3.6), layout="constrained")
    training, walking = drawn.subplots(1, 2)
    training.plot(found["shares"], color=RAISED)
    training.axhline(0.5, color="#333333", linewidth=0.8, linestyle=":")
    training.text(len(found["shares"]), 0.52, "one turn for both goals", ha="right", fontsize=8)
    training.axvspan(len(found["shares"]) / 2, len(found["shares"]), color="#333333", alpha=0.08, linewidth=0)
    training.text(len(found["shares"]) * 0.75, 0.04, "gates become hard", ha="center", fontsize=8)
    training.set(xlabel="update", ylabel="share at the goal", ylim=(0, 1.05))
    training.set_title("What is learned in 15 steps", loc="left", fontsize=11)
    torch.manual_seed(0)
    for name, colour, agent in (("new", PLAIN, found["Agent"]()), ("trained", RAISED, found["agent"])):
        for goal, style in (("up", "-"), ("down", "--")):
            steps, wish = preference(agent, goal == "up")
            walking.plot(steps, wish, color=colour, linestyle=style, label=f"{name}, the goal is {goal}")
    walking.axvline(15, color="#333333", linewidth=0.8, linestyle=":")
    walking.set(xscale="log", xlabel="steps in the corridor", ylabel="log-odds of up against down")
    walking.set_title("What it knows as it walks", loc="left", fontsize=11)
    walking.legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1, 0.7))
    return drawn


@torch.no_grad()
def preference(agent: nn.Module, goal_is_up: bool, count: int = 1500) -> tuple[range, list[float]]:
    """By how much an agent in the corridor would rather turn up than down, if its next step were at the junction."""
    first, corridor, junction = torch.eye(4)[0 if goal_is_up else 1], torch.eye(4)[2], torch.eye(4)[3]
    _, _, state = agent(first[None, None])
    wish = []
    for _ in range(count):
        logits, _, _ = agent(junction[None, None], state)
        wish.append((logits[0, 0, 1] - logits[0, 0, 3]).item())
        _, _, state = agent(corridor[None, None], state)
    return range(1, count + 1), wish


FIGURES: dict[str, Callable[[dict[str, Any]], Figure]] = {
    "warm-up-your-model": warm_up_your_model,
    "why-does-it-forget": why_does_it_forget,
    "memory-that-lasts": memory_that_lasts,
    "t-maze-with-your-agent": t_maze_with_your_agent,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, draw in FIGURES.items():
        figure = draw(run(name))
        for axes in figure.axes:
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(TUTORIALS / f"{name}.png", dpi=130)
