"""A picture of the top of the report on the runs in results/, as chromium shows it.

Run: python studies/screenshot.py
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from rows import ROOT

from multistable.experiments.report import write_report

PICTURE = ROOT / "docs" / "report.png"
WIDTH, HEIGHT = 1300, 1500


def photograph(browser: str, folder: Path) -> None:
    """Write the report to a folder, open it, and keep what is seen."""
    page = folder / "report.html"
    write_report(ROOT / "results", page)
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
    ]
    seen = [f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=20000", f"--screenshot={PICTURE}"]
    subprocess.run([browser, *options, *seen, page.as_uri()], check=True, capture_output=True, timeout=300)


if __name__ == "__main__":
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("neither chromium nor google-chrome is installed")
    with tempfile.TemporaryDirectory() as temporary:
        photograph(found, Path(temporary))
