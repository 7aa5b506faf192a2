const checked = name => new Set([...document.getElementsByName(name)].filter(box => box.checked).map(box => box.value));
function filter() {
  const task = document.getElementById("task").value, cells = checked("cell"), variants = checked("variant");
  for (const section of document.querySelectorAll("section[data-task]")) {
    const left = new Set();  // the cells that have something to show
    for (const one of section.querySelectorAll("[data-variant]")) {
      const hidden = !cells.has(one.dataset.cell) || !variants.has(one.dataset.variant);
      one.toggleAttribute("hidden", hidden);
      if (!hidden) left.add(one.dataset.cell);
    }
    for (const part of section.querySelectorAll("details[data-cell]")) part.hidden = !left.has(part.dataset.cell);
    section.hidden = left.size === 0 || (task !== "" && section.dataset.task !== task);
  }
}
document.querySelector("#filters details").open = innerWidth > 640;  // there it would hide the first figure
document.getElementById("filters").addEventListener("change", filter);
filter();  // a browser may have kept what was ticked

function open() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = place; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (place) place.scrollIntoView();
}
addEventListener("hashchange", open);
open();
document.body.dataset.ready = "yes";
