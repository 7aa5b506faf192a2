"""Whether a path can be what it is asked to be."""

from pathlib import Path

__all__ = ["check_folder", "is_there"]


def is_there(name: str, path: Path) -> bool:
    """Whether there is anything at a path.

    Raises:
        OSError: there can't be, as where a name is too long; the message names the argument.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        given = str(path) if len(str(path)) <= 200 else f"{str(path)[:60]}… of {len(str(path))} characters"
        raise OSError(f"{name} must be a path that the system takes, got {given}: {error.strerror}") from error
    return True


def check_folder(name: str, path: Path) -> None:
    """Raise unless a path is a folder, or one that can be made below a folder.

    Raises:
        NotADirectoryError: it is something else, or lies in something else.
        OSError: there can't be anything at such a path.
    """
    there = next((place for place in (path, *path.parents) if is_there(name, place)), path)
    if not there.is_dir():
        raise NotADirectoryError(f"{name} must be a folder, or a new one to make, got {path}: {there} is no folder")
