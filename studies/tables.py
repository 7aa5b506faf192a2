"""Write the tables in docs/tables/, which the pages of the documentation include.

Run: python studies/tables.py
"""

import tables_attractors
import tables_findings
import tables_lasting
import tables_results
import tables_start_questions
import tables_starts
import tables_t_maze
import tables_timings
from rows import ROOT

FOLDER = ROOT / "docs" / "tables"


def all_tables() -> dict[str, str]:
    """Every table, by the name of its file."""
    made = [
        module.tables()
        for module in (
            tables_timings,
            tables_attractors,
            tables_findings,
            tables_lasting,
            tables_results,
            tables_start_questions,
            tables_starts,
            tables_t_maze,
        )
    ]
    return {f"{name}.md": f"{text}\n" for tables in made for name, text in tables.items()}


if __name__ == "__main__":
    for file in FOLDER.glob("*.md"):
        file.unlink()
    for name, text in all_tables().items():
        (FOLDER / name).write_text(text)
