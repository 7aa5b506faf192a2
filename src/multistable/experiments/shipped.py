"""The experiments that come with the package, by name."""

from pathlib import Path

from multistable._utils.choices import nearest
from multistable.experiments.places import is_there

__all__ = ["locate", "mistaken", "names"]

_HERE = Path(__file__).parent
# In an installed package they lie here; in the project's repository, from which one may work as well, at its root.
_ROOT = next((one for one in (_HERE / "configs", _HERE.parents[2] / "configs") if one.is_dir()), _HERE / "configs")
_SWEEPS = "sweeps"


def names(*, sweeps: bool = False) -> list[str]:
    """The names of the experiments, or of the sweeps.

    Examples:
        >>> from multistable.experiments.shipped import names
        >>> names(sweeps=True)[:2]
        ['copy-first-input', 'denoising']
    """
    root = _ROOT / _SWEEPS if sweeps else _ROOT
    found = [path.relative_to(root).with_suffix("") for path in root.rglob("*.yaml")]
    # Those with fewer folders first.
    found.sort(key=lambda path: (len(path.parts), path))
    return [path.as_posix() for path in found if sweeps or path.parts[0] != _SWEEPS]


def locate(asked: Path, *, sweep: bool = False) -> Path:
    """The file that is asked for by its path, or else by the name of an experiment, or a sweep, of the package.

    Raises:
        FileNotFoundError: there is neither.
        OSError: there can't be anything at such a path, or a folder is.
    """
    known, name = names(sweeps=sweep), asked.as_posix()
    argument, kind = ("grid", "sweep") if sweep else ("config", "experiment")
    there = is_there(argument, asked)
    if there and not asked.is_dir():
        return asked
    if name in known:
        return (_ROOT / _SWEEPS if sweep else _ROOT) / f"{name}.yaml"
    if there:
        raise IsADirectoryError(
            f"{argument} must be a YAML file or the name of one of the package, got the folder {asked}"
        )
    if name in names(sweeps=not sweep):
        raise FileNotFoundError(f"{asked} is {mistaken(asked, sweep=not sweep)}")
    raise FileNotFoundError(
        f"{asked} is no file, and no {kind} of the package, which has {', '.join(known)}"
        f"{nearest(name, known) or _of_other_kind(name, sweep=sweep)}"
    )


def _of_other_kind(name: str, *, sweep: bool) -> str:
    """The end of a message that says what a name without its folder is of the other kind; empty if nothing."""
    meant = [one for one in names(sweeps=not sweep) if one.endswith(f"/{name}")]
    return f"; {meant[0]} is {mistaken(Path(meant[0]), sweep=not sweep)}" if meant else ""


def mistaken(asked: Path, *, sweep: bool) -> str:
    """What a sweep is that was taken for an experiment, or the reverse, and how to run it; to end a message."""
    return f"a sweep: use multistable sweep {asked}" if sweep else f"one experiment: use multistable run {asked}"
