"""The core imports and works where no extra is installed, and says what to install where one is asked for."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

EXTRAS = frozenset({"matplotlib", "rich", "tqdm"})
CORE = ("_descent", "dynamics", "functional", "inputs", "measure", "reach", "warmup")


class WithoutExtras:
    """A finder of modules that finds what another does, but for the extras."""

    def __init__(self, finder: Any) -> None:
        self.finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] in EXTRAS:
            return None
        spec: ModuleSpec | None = self.finder.find_spec(name, path, target)
        return spec


def main() -> None:
    sys.meta_path[:] = [WithoutExtras(finder) for finder in sys.meta_path]

    import torch

    multistable = import_module("multistable")
    for name in CORE:
        import_module(f"multistable.{name}")

    gru = torch.nn.GRU(1, 4)
    sequences = torch.randn(10, 8, 1, generator=torch.Generator().manual_seed(0))
    result = multistable.warmup(gru, sequences, steps=2, horizon=10, generator=0)
    assert result.history.layers == ("l0",), result

    try:
        multistable.warmup(gru, sequences, steps=1, horizon=10, generator=0, progress=True)
    except ImportError as error:
        assert "pip install 'multistable[progress]'" in str(error), error
    else:
        raise AssertionError("a progress bar was shown without tqdm")

    try:
        result.plot()
    except ImportError as error:
        assert "pip install 'multistable[plot]'" in str(error), error
    else:
        raise AssertionError("a figure was drawn without Matplotlib")

    imported = EXTRAS & {name.partition(".")[0] for name in sys.modules}
    assert not imported, f"extras were imported all the same: {sorted(imported)}"
    print("the core needs torch and NumPy alone")


if __name__ == "__main__":
    main()
