"""Tables in Markdown, and how numbers stand in them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

Column = Callable[[Sequence[T]], object]
"""What stands in a cell, said of all items of its row."""


def table(items: Iterable[T], columns: Mapping[str, Column[T]]) -> str:
    """A table of items, by the heads of its columns; items for which the first column says the same share a row."""
    label, *others = columns.values()
    groups: dict[object, list[T]] = {}
    for item in items:
        groups.setdefault(label([item]), []).append(item)
    return grid(columns, [[name, *(column(group) for column in others)] for name, group in groups.items()])


def listed(heads: str, cells: str) -> dict[str, Column[Mapping[str, Any]]]:
    """Columns that list the items of a row as templates show them; `|` stands between heads, and between templates."""

    def each(template: str) -> Column[Mapping[str, Any]]:
        return lambda items: ", ".join(template.format_map(item) for item in items)

    split = ([part.strip() for part in line.split("|")] for line in (heads, cells))
    return {head: each(template) for head, template in zip(*split, strict=True)}


def grid(head: Iterable[str], body: Iterable[Sequence[object]]) -> str:
    """A table of cells, numbers to the right."""
    head = list(head)
    return "\n".join(map(row, [head, ["---"] + ["---:"] * (len(head) - 1), *body]))


def row(cells: Iterable[object]) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def percent(share: float) -> str:
    """A share, left out where it is zero."""
    return f"{100 * share:.0f} %" if share > 0 else ""
