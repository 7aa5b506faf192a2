"""Where the project lies, for a package index: the README's links lead there, and the project's addresses are named.

Run before a build, which is of what lies there: python .ci/address.py https://github.com/OWNER/NAME TAG
"""

import re
import sys
from pathlib import Path

LINK = re.compile(r"(!?)(\[[^\[\]]*\]\()(?!\w+:|#)([^)]+)(?=\))")


def absolute(text: str, address: str, tag: str) -> str:
    """Markdown whose relative links are absolute; pictures lead to the file itself."""
    done = LINK.sub(lambda link: f"{link[1]}{link[2]}{address}/{'raw' if link[1] else 'blob'}/{tag}/{link[3]}", text)
    left = re.findall(r"\]\((?!\w+:|#)[^)]*\)", done)
    if left:
        raise SystemExit(f"links that lead nowhere on an index: {', '.join(left)}")
    return done


def addresses(address: str, tag: str) -> str:
    """The table of pyproject.toml that names them."""
    urls = {
        "Repository": address,
        "Documentation": f"{address}/blob/{tag}/docs/index.md",
        "Changelog": f"{address}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
    return "\n[project.urls]\n" + "".join(f'{name} = "{url}"\n' for name, url in urls.items())


def complete(root: Path, address: str, tag: str) -> None:
    """Change the README and pyproject.toml in a folder."""
    readme, project = root / "README.md", root / "pyproject.toml"
    readme.write_text(absolute(readme.read_text(), address, tag))
    project.write_text(project.read_text() + addresses(address, tag))


if __name__ == "__main__":
    complete(Path(__file__).parents[1], *sys.argv[1:])
