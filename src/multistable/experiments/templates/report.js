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

// The values under the pointer, read off the paths as exactly as they are drawn.
const note = document.body.appendChild(document.createElement("div"));
note.id = "note";
note.hidden = true;
const value = (share, [least, most, log]) => log ? least * (most / least) ** share : least + share * (most - least);
const written = (number, [least, most, log]) =>  // on a linear axis, less than can be drawn is 0
  (!log && Math.abs(number) < 1e-3 * (most - least) ? 0 : number).toLocaleString("en", {maximumSignificantDigits: 3});
function nearest(path, at) {
  const points = path.getAttribute("d").slice(1).split("L").map(point => point.split(" ").map(Number));
  return points.reduce((found, point) => Math.abs(point[0] - at) < Math.abs(found[0] - at) ? point : found);
}
addEventListener("pointermove", event => {
  const panel = event.target.closest(".panel");
  note.hidden = panel === null;
  if (panel === null) return;
  const box = panel.getBoundingClientRect();
  const at = 1000 * (event.clientX - box.left) / box.width;
  const x = JSON.parse(panel.dataset.x), y = JSON.parse(panel.dataset.y);
  note.replaceChildren(...[...panel.querySelectorAll("g:not([hidden])")].map(group => {
    const [across, down] = nearest(group.querySelector(".curve"), at);
    const line = document.createElement("div");
    line.style.borderColor = group.getAttribute("color");
    const what = [group.dataset.variant, group.dataset.note].filter(Boolean).join(", ");
    line.textContent = `${what}: ${written(value(1 - down / 1000, y), y)} at ${written(value(across / 1000, x), x)}`;
    return line;
  }));
  const room = innerWidth - note.offsetWidth - 8;
  note.style.left = `${Math.max(8, Math.min(event.clientX + 14, room))}px`;
  note.style.top = `${Math.max(8, event.clientY - note.offsetHeight - 14)}px`;
});

function open() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = place; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (place) place.scrollIntoView();
}
addEventListener("hashchange", open);
open();
document.body.dataset.ready = "yes";
