"""Whether a path can be what it is asked to be."""

import os
from pathlib import Path

from multistable._utils.wording import shortened

__all__ = ["check_folder", "is_there", "make_folder"]


_LONGEST = 200  # characters of a path in a message


def is_there(name: str, path: Path) -> bool:
    """Whether there is anything at a path.

    Raises:
        OSError: there can't be, as where a name is too long, or it may not be seen; the message names the argument.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        given = str(path) if len(str(path)) <= _LONGEST else shortened(str(path))
        raise OSError(f"{name}: {error.strerror}: {given}") from error
    return True


def check_folder(name: str, path: Path) -> None:
    """Raise unless a path is a folder, or one that can be made below a folder.

    Raises:
        NotADirectoryError: it is something else, such as a link that leads nowhere, or lies in something else.
        OSError: there can't be anything at such a path.
    """
    there = next((place for place in (path, *path.parents) if is_there(name, place) or place.is_symlink()), path)
    if not there.is_dir():
        what = "is a link that leads nowhere" if there.is_symlink() and not there.exists() else "is no folder"
        raise NotADirectoryError(f"{name} must be a folder, or a new one to make, got {path}: {there} {what}")


def make_folder(name: str, path: Path) -> None:
    """Make a folder where there is none.

    Raises:
        OSError: it can't be made or written to; the message names the argument.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{name} can't be written: {error.strerror}: {error.filename}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(f"{name} must be a folder that can be written to, got {path}")
