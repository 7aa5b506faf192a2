"""Pages that show commands and what they print: what comes of them in an empty folder."""

import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

from multistable.cli import main

# A file that the page shows, or commands each followed by what it prints.
BLOCK = re.compile(r'^```(?:yaml title="(?P<name>[^"]+)"|console)\n(?P<text>.*?)^```', re.DOTALL | re.MULTILINE)


def played(page: Path, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Write the files and run the commands of a page: each command, what it prints by the page, and what it prints."""
    for block in BLOCK.finditer(page.read_text()):
        if block["name"]:
            (folder / block["name"]).write_text(block["text"])
            continue
        for asked in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, _, said = asked.partition("\n")
            yield command, said, printed(command, folder)


def printed(command: str, folder: Path) -> str:
    """What a command prints that is run in a folder: ours in this process, others by the shell."""
    name, *arguments = shlex.split(command)
    assert name != "cd", f"a reader would stay there: {command}"
    if name == "multistable":
        with chdir(folder), redirect_stdout(io.StringIO()) as output, redirect_stderr(output):
            main(arguments)
        return output.getvalue()
    return subprocess.run(command, shell=True, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
