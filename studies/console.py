"""Pages that show commands and what they print: what comes of them in an empty folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# A file that the page shows, or commands each followed by what it prints.
BLOCK = re.compile(r'^```(?:yaml title="(?P<name>[^"]+)"|console)\n(?P<text>.*?)^```', re.DOTALL | re.MULTILINE)


def played(page: Path, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Write the files and run the commands of a page: each command, what it prints by the page, and what it prints.

    Commands are this interpreter's, with one thread each.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    for block in BLOCK.finditer(page.read_text()):
        if block["name"]:
            (folder / block["name"]).write_text(block["text"])
            continue
        for asked in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, _, said = asked.partition("\n")
            result = subprocess.run(
                command,
                shell=True,
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,  # a page may show what is refused
                timeout=300,
            )
            yield command, said, result.stdout
