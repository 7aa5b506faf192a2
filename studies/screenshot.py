"""Pictures of reports, as chromium shows them: the top of that on results/, and the one that a tutorial makes.

Run: python studies/screenshot.py
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from console import played
from rows import ROOT

from multistable.experiments.report import write_report

DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorials" / "from-yaml-to-report.md"


def photograph(browser: str, page: Path, picture: Path, width: int, height: int) -> None:
    """Open a page, and keep what is seen."""
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        seen = [f"--window-size={width},{height}", "--virtual-time-budget=20000", f"--screenshot={picture}"]
        subprocess.run([browser, *options, *seen, page.as_uri()], check=True, capture_output=True, timeout=300)


def photograph_all(browser: str, folder: Path) -> None:
    """Make the reports in a folder."""
    everything = folder / "everything.html"
    write_report(ROOT / "results", everything)
    photograph(browser, everything, DOCS / "report.png", 1300, 1500)
    for _ in played(TUTORIAL, folder):
        pass
    photograph(browser, folder / "report.html", TUTORIAL.with_suffix(".png"), 1100, 1200)


if __name__ == "__main__":
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("neither chromium nor google-chrome is installed")
    with tempfile.TemporaryDirectory() as temporary:
        photograph_all(found, Path(temporary))
