"""The experiments that come with the package, by name."""

from pathlib import Path

from multistable._utils.choices import nearest

__all__ = ["locate", "names"]

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
    """
    known = names(sweeps=sweep)
    if asked.exists() and not (asked.is_dir() and asked.as_posix() in known):
        return asked
    if asked.as_posix() in known:
        return (_ROOT / _SWEEPS if sweep else _ROOT) / f"{asked.as_posix()}.yaml"
    kind = "sweep" if sweep else "experiment"
    raise FileNotFoundError(
        f"{asked} is no file, and no {kind} of the package, which has {', '.join(known)}"
        f"{nearest(asked.as_posix(), known)}"
    )
