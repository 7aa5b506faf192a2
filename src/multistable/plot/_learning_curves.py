"""`learning_curves`: training loss against the step."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from multistable.plot._style import palette, tidy

__all__ = ["learning_curves"]


def learning_curves(losses: Mapping[str, Sequence[float]], chance: float, window: int = 25) -> Figure:
    """Training loss against the step, averaged over a window, beside the level of chance.

    Args:
        losses: the loss of each training step, under the names that the legend shows.
        chance: the loss of the best answer without memory.
        window: steps that are averaged.

    Returns:
        A figure with one panel on a logarithmic scale.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(chance, color="black", linewidth=0.8, linestyle=":", label="chance")
    for colour, (name, values) in zip(palette(len(losses)), losses.items(), strict=True):
        size = min(window, len(values))
        means = [sum(values[end - size : end]) / size for end in range(size, len(values) + 1)]
        axes.plot(range(size, len(values) + 1), means, color=colour, label=name)
    axes.set(xlabel="training step", ylabel=f"mean squared error, mean of {window} steps", yscale="log")
    tidy(axes)
    axes.legend(frameon=False)
    return figure
