"use strict";
// The slider is a native range input lying over the pictures: mouse, touch and keyboard come with it.
// This script only carries its value into the clip of the after picture, and moves the view.
(() => {
  document.documentElement.classList.add("js");
  const viewer = document.querySelector(".viewer.swipe");
  if (!viewer) return;
  const stage = viewer.querySelector(".stage");
  const range = viewer.querySelector(".swipe-range");
  const status = viewer.querySelector(".status");
  const bar = viewer.querySelector(".bar-line");
  const cols = Number(viewer.dataset.cols);
  const rows = Number(viewer.dataset.rows);
  const MOST = 16;
  const view = { zoom: 1, col: cols / 2, row: rows / 2 };

  // Above the boxes, so that no number covers a date.
  stage.append(...stage.querySelectorAll(".tag"));
  stage.style.maxWidth = `calc(82vh * ${cols / rows})`;

  function swipe() {
    stage.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${Math.round(range.value)} % before, ${Math.round(100 - range.value)} % after`);
  }

  function show() {
    const width = stage.clientWidth;
    const scale = (width / cols) * view.zoom;
    const half = 0.5 / view.zoom;
    const inside = (at, length) => Math.min(Math.max(at, length * half), length * (1 - half));
    view.col = inside(view.col, cols);
    view.row = inside(view.row, rows);
    stage.style.setProperty("--zoom", view.zoom);
    stage.style.setProperty("--x", `${width / 2 - view.col * scale}px`);
    stage.style.setProperty("--y", `${(width * rows) / cols / 2 - view.row * scale}px`);
    stage.style.setProperty("--label", `${15 / scale}px`);
    stage.classList.toggle("zoomed", view.zoom > 2);
    stage.classList.toggle("pixels", scale > 1);
    const share = viewer.querySelector(".bar")?.dataset.share;
    if (bar) bar.style.width = `${(share / 100) * width * view.zoom}px`;
  }

  function zoom(factor) {
    view.zoom = factor === 0 ? 1 : Math.min(Math.max(view.zoom * factor, 1), MOST);
    show();
    status.textContent = view.zoom === 1 ? "Whole picture" : `Enlarged ${Math.round(view.zoom * 10) / 10} times`;
  }

  function go(id) {
    const box = viewer.querySelector(`.live [data-box="${id}"]`);
    if (!box) return;
    viewer.querySelectorAll(".chosen").forEach((other) => other.classList.remove("chosen"));
    box.classList.add("chosen");
    const rect = box.querySelector("rect");
    const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
    view.zoom = Math.min(Math.max(Math.min(cols / w, rows / h) / 4, 1), MOST / 2);
    view.col = x + w / 2;
    view.row = y + h / 2;
    show();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const seen = stage.getBoundingClientRect();
    if (seen.top < 0 || seen.bottom > innerHeight) {
      stage.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
    }
    status.textContent = `Showing region ${id}, enlarged ${Math.round(view.zoom * 10) / 10} times`;
  }

  range.addEventListener("input", swipe);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.region) go(button.dataset.region);
    if (button.dataset.zoom) zoom(Number(button.dataset.zoom));
    if (button.dataset.toggle) {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      viewer.querySelector(".boxes.live").classList.toggle("off", !on);
    }
  });
  new ResizeObserver(show).observe(stage);
  swipe();
  show();
})();
