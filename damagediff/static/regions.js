// From a region's line in the list to its place in the pictures and back; switches of what is drawn over them.
function makeRegions(viewer, view, modes, tell) {
  const stage = viewer.querySelector(".stage");
  const toRow = viewer.querySelector(".to-row");
  const boxes = [...viewer.querySelectorAll("[data-box]")].map((group) => {
    const rect = group.querySelector("rect");
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
    return { id: group.dataset.box, group, x, y, width, height };
  });
  const pointed = viewer.querySelector(".pointed");
  let chosen = -1;
  let back = null;

  const rowOf = (id) => document.querySelector(`[data-row="${id}"]`);

  function mark(number) {
    const old = boxes[chosen];
    if (old) {
      old.group.classList.remove("chosen");
      rowOf(old.id)?.removeAttribute("aria-current");
    }
    chosen = number;
    const { id, group } = boxes[number];
    group.classList.add("chosen");
    const row = rowOf(id);
    row?.setAttribute("aria-current", "true");
    const list = row?.closest(".scroll");
    if (list) list.scrollTop += row.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 3;
    returnTo(row?.querySelector("button"), `region ${id} in the list`);
  }

  function returnTo(button, words) {
    back = button;
    toRow.disabled = false;
    toRow.textContent = words;
  }

  // A building is framed for as long as another one is not, with a margin: its outline must stay in sight.
  function goToBuilding(button) {
    const [x, y, width, height] = button.dataset.building.split(" ").map(Number);
    const margin = 4;
    const around = { x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin };
    Object.entries(around).forEach(([name, value]) => pointed.setAttribute(name, value));
    const layer = viewer.querySelector("[data-layer=buildings]");
    if (!layer.checked) layer.click();
    view.goTo(around);
    if (modes.mode() === "loupe") modes.lookAt(view);
    returnTo(button, "building in the list");
    tell(`Showing building ${button.textContent}, enlarged ${Math.round(view.zoom * 10) / 10} times`);
  }

  function go(number) {
    if (!boxes[number]) return;
    mark(number);
    view.goTo(boxes[number]);
    if (modes.mode() === "loupe") modes.lookAt(view);
    tell(`Showing region ${boxes[number].id}, enlarged ${Math.round(view.zoom * 10) / 10} times`);
  }

  function bring(element) {
    const seen = element.getBoundingClientRect();
    if (seen.top >= 0 && seen.bottom <= innerHeight) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: element === stage ? "start" : "center", behavior: still ? "auto" : "smooth" });
  }

  // Of boxes that lie over each other the smallest.
  function at({ col, row }) {
    const slack = 3 / view.scale();
    const over = boxes.filter((box) => col > box.x - slack && col < box.x + box.width + slack
      && row > box.y - slack && row < box.y + box.height + slack);
    over.sort((a, b) => a.width * a.height - b.width * b.height);
    return boxes.indexOf(over[0]);
  }

  view.hooks.tap = (event) => {
    const number = viewer.classList.contains("no-regions") ? -1 : at(view.place(event.clientX, event.clientY));
    if (number >= 0) {
      mark(number);
      tell(`Region ${boxes[number].id} chosen`);
    } else if (modes.mode() === "swipe") modes.swipeTo(event);
    else if (modes.mode() === "loupe") modes.lookAt(view.place(event.clientX, event.clientY));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.region) {
      go(boxes.findIndex((box) => box.id === button.dataset.region));
      bring(stage);
    } else if (button?.dataset.step) {
      go((chosen + Number(button.dataset.step) + boxes.length + (chosen < 0 && button.dataset.step < 0 ? 1 : 0)) % boxes.length);
    } else if (button?.dataset.building) {
      goToBuilding(button);
      bring(stage);
    } else if (button === toRow && back) {
      back.focus({ preventScroll: true });
      bring(back);
    }
  });

  viewer.querySelectorAll("[data-layer]").forEach((box) => {
    const show = () => viewer.classList.toggle(`no-${box.dataset.layer}`, !box.checked);
    box.addEventListener("change", show);
    show();
  });
}
