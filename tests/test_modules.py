"""No name is both a module and something else: `import multistable.x as y` never yields a function."""

import importlib
import pkgutil
from types import ModuleType

import multistable


def shadowed(package: ModuleType) -> list[str]:
    """The modules below a package whose place another thing of that name has taken."""
    found = []
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        name = module.name.rpartition(".")[2]
        if name == "__main__":  # runs the command
            continue
        imported = importlib.import_module(module.name)
        if getattr(package, name) is not imported:
            found.append(module.name)
        if module.ispkg:
            found += shadowed(imported)
    return found


def test_no_module_is_shadowed() -> None:
    assert shadowed(multistable) == []
