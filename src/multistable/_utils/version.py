"""The version of the package that is installed."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("multistable")
except PackageNotFoundError:  # a source tree on Python's path, which nobody has installed
    __version__ = "unknown"
