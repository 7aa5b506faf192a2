"""The report as a browser shows it."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from multistable.experiments import figures
from multistable.experiments.results import collect, sections

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

CLICKS = """
<script>
const errors = [];
addEventListener("error", event => errors.push(event.message));
addEventListener("load", () => {
  const seen = {title: document.title, ready: document.body.dataset.ready};
  const shown = selector => [...document.querySelectorAll(selector)].filter(one => one.getClientRects().length > 0);
  for (const part of document.querySelectorAll("details[data-cell]")) part.open = true;
  const look = name => {
    const curves = shown("g[data-variant]");
    const long = one => [...one.querySelectorAll("path")].every(path => path.getTotalLength() > 0);
    seen[name] = {
      sections: shown("section[data-task]").length,
      rows: shown("tr[data-variant]").length,
      figures: shown("figure").length,
      strips: shown(".row").length,
      variants: [...new Set(curves.map(one => one.dataset.variant))].sort(),
      cells: [...new Set(curves.map(one => one.dataset.cell))].sort(),
      drawn: curves.every(one => long(one) || one.querySelector("circle") !== null),  // one length is a mark alone
    };
  };
  const box = (name, value) => document.querySelector(`input[name=${name}][value="${value}"]`);
  look("all");
  box("variant", "plain").click();
  look("without plain");
  box("variant", "plain").click();
  box("cell", "mgu").click();
  look("without mgu");
  box("cell", "mgu").click();
  const task = document.getElementById("task");
  task.value = "permuted_rows";
  task.dispatchEvent(new Event("change", {bubbles: true}));
  look("rows alone");
  task.value = "";
  task.dispatchEvent(new Event("change", {bubbles: true}));
  look("all again");
  const panel = document.querySelector('details[data-cell="gru"] .panel'), {right, top} = panel.getBoundingClientRect();
  const event = {bubbles: true, clientX: right - 8, clientY: top + 5};
  panel.dispatchEvent(new PointerEvent("pointermove", event));
  seen.read = [...document.querySelectorAll("#note div")].map(one => one.textContent);
  const link = document.querySelector("tr[data-variant] a");
  link.click();
  setTimeout(() => {
    seen.open = [...document.querySelectorAll("main details[open]")].map(one => one.id);
    seen.link = link.getAttribute("href");
    seen.errors = errors;
    seen.fetched = performance.getEntriesByType("resource").map(({name}) => name);
    const result = document.createElement("pre");
    result.id = "seen";
    result.textContent = JSON.stringify(seen);
    document.body.append(result);
  }, 500);
});
</script>
"""


def seen_by_browser(document: Path, profile: Path) -> Any:
    """What the page of that path, opened in a browser, leaves in its element `seen`."""
    browser = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command = [*browser, "--window-size=1500,900", "--virtual-time-budget=20000", "--dump-dom", document.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="seen">(.*?)</pre>', finished.stdout, re.DOTALL)
    assert found is not None, finished.stderr
    return json.loads(html.unescape(found[1]))


@pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed")
def test_opened_and_clicked_in_a_browser(runs: Path, page: Path, tmp_path: Path) -> None:
    clicked = tmp_path / "clicked.html"
    clicked.write_text(page.read_text().replace("<head>", f"<head>{CLICKS}", 1))
    seen = seen_by_browser(clicked, tmp_path / "profile")
    assert seen["errors"] == [] and seen["fetched"] == []
    assert (seen["title"], seen["ready"]) == ("Runs: 9", "yes")
    both = {"variants": ["plain", "warmup"], "cells": ["gru", "mgu"], "drawn": True}
    # Two figures for each section, of one row for each group, and three for each of its cells.
    everything = {"sections": 2, "rows": 5, "figures": 2 * 2 + 3 * 3, "strips": 2 * 5, **both}
    one = {"sections": 1, "figures": 8}
    assert seen["all"] == everything
    assert seen["without plain"] == {**everything, **one, "rows": 2, "strips": 4, "variants": ["warmup"]}
    assert seen["without mgu"] == {**everything, "rows": 3, "figures": 10, "strips": 6, "cells": ["gru"]}
    alone = {"rows": 1, "figures": 5, "strips": 2, "variants": ["plain"], "cells": ["gru"]}
    assert seen["rows alone"] == {**everything, **one, **alone}
    assert seen["all again"] == everything
    copying = next(one for one in sections(collect(runs).runs) if one.config.task == "copy_first_input")
    panel = figures.learning(copying, "gru").panels[0]
    # Paths are rounded to one in a thousand of an axis, and what is read to three digits.
    rounded = (panel.y.most / panel.y.least) ** 0.0005 - 1 + 0.005
    for text, curve in zip(seen["read"], panel.curves, strict=True):
        what, read, at = re.fullmatch(r"(.*): ([\d.]+) at ([\d.]+)", text).groups()  # type: ignore[union-attr]
        assert what == curve.whose.variant
        assert float(read) == pytest.approx(curve.means[-1], rel=rounded)
        assert float(at) == pytest.approx(2, abs=0.01)
    assert set(seen["open"]) == {seen["link"][1:], ""}  # itself, and what it lies in


MEASURE = """
<script>
addEventListener("load", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  const root = document.documentElement;
  const scrolls = [...document.querySelectorAll(".scroll, .strip, pre")];
  const shown = [...document.body.querySelectorAll("*:not(.unseen)")].filter(one => one.checkVisibility());
  const outside = shown.filter(one => !scrolls.some(scroll => scroll !== one && scroll.contains(one)))
    .filter(one => {
      const {left, right} = one.getBoundingClientRect();
      return left < -0.5 || right > root.clientWidth + 0.5;
    });
  const texts = shown.filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  parent.postMessage({
    width: innerWidth,
    wider: root.scrollWidth - root.clientWidth,
    outside: outside.map(one => one.outerHTML.slice(0, 80)),
    cut: scrolls.filter(one => one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX !== "auto").length,
    smallest: Math.min(...texts.map(one => parseFloat(getComputedStyle(one).fontSize))),
    aside: Math.max(...[...document.querySelectorAll(".row > svg")].map(one => {
      const axis = one.closest(".rows").querySelector(".behind").getBoundingClientRect();
      const strip = one.getBoundingClientRect();
      return Math.max(Math.abs(strip.left - axis.left), Math.abs(strip.right - axis.right));
    })),
    filters: getComputedStyle(document.getElementById("filters")).position,
  }, "*");
});
</script>
"""
FRAMES = """
<pre id="waiting"></pre>
<script>
const seen = [];
addEventListener("message", ({data}) => {
  seen.push(data);
  if (seen.length < 2) return;
  document.getElementById("waiting").textContent = JSON.stringify(seen.sort((one, other) => one.width - other.width));
  document.getElementById("waiting").id = "seen";
});
</script>
<iframe src="measured.html" style="width: 390px; height: 844px; border: 0"></iframe>
<iframe src="measured.html" style="width: 1400px; height: 844px; border: 0"></iframe>
"""


@pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed")
def test_nothing_is_cut_off_on_phones_and_wide_screens(page: Path, tmp_path: Path) -> None:
    (tmp_path / "measured.html").write_text(page.read_text().replace("</body>", f"{MEASURE}</body>", 1))
    (tmp_path / "frames.html").write_text(FRAMES)
    fits = {"wider": 0, "outside": [], "cut": 0, "smallest": 12, "aside": pytest.approx(0, abs=0.1)}
    phone, wide = seen_by_browser(tmp_path / "frames.html", tmp_path / "profile")
    assert phone == {**fits, "width": 390, "filters": "static"}
    assert wide == {**fits, "width": 1400, "filters": "sticky"}
