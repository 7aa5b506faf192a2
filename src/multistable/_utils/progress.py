"""Progress bars, from the extra `progress`."""

from collections.abc import Iterable

__all__ = ["progress_bar"]


def progress_bar(steps: int, description: str, shown: bool) -> Iterable[int]:
    """The numbers of the steps, behind a progress bar if `shown`; the bar starts with the first.

    Raises:
        ImportError: tqdm is missing.
    """
    if not shown:
        return range(steps)
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install 'multistable[progress]'") from error
    return (step for step in tqdm(range(steps), desc=description))
