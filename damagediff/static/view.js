"use strict";
// What part of the pictures is shown, and the pointer, wheel and keys that change it. Both pictures show the same part.
function makeView(stage, cols, rows) {
  const MOST = 16;
  const CLICK = 4;
  const layers = [...stage.querySelectorAll(".layer")];
  const fingers = new Map();
  const hooks = { grab: () => false, drag: () => {}, tap: () => {}, hover: () => {}, key: () => false, shown: () => {} };
  const view = { zoom: 1, col: cols / 2, row: rows / 2, hooks };
  let gesture = null;

  view.scale = () => (layers[0].clientWidth / cols) * view.zoom;

  view.show = () => {
    const width = layers[0].clientWidth;
    if (!width) return;
    const scale = view.scale();
    const half = 0.5 / view.zoom;
    const inside = (at, length) => Math.min(Math.max(at, length * half), length * (1 - half));
    view.col = inside(view.col, cols);
    view.row = inside(view.row, rows);
    stage.style.setProperty("--zoom", view.zoom);
    stage.style.setProperty("--x", `${width / 2 - view.col * scale}px`);
    stage.style.setProperty("--y", `${(width * rows) / cols / 2 - view.row * scale}px`);
    stage.style.setProperty("--label", `${15 / scale}px`);
    stage.classList.toggle("zoomed", view.zoom > 1);
    stage.classList.toggle("near", view.zoom > 2);
    stage.classList.toggle("pixels", scale > 1);
    hooks.shown();
  };

  // Where in the pictures a point of the window lies, and where on the screen a place of the pictures is.
  view.place = (x, y) => {
    const boxes = layers.map((layer) => layer.getBoundingClientRect());
    const box = boxes.find((each) => x >= each.left && x <= each.right && y >= each.top && y <= each.bottom) || boxes[0];
    const scale = view.scale();
    return { col: view.col + (x - box.left - box.width / 2) / scale, row: view.row + (y - box.top - box.height / 2) / scale };
  };

  view.onScreen = ({ col, row }) => {
    const scale = view.scale();
    return { x: layers[0].clientWidth / 2 + (col - view.col) * scale, y: layers[0].clientHeight / 2 + (row - view.row) * scale };
  };

  view.enlarge = (factor, place = { col: view.col, row: view.row }) => {
    const zoom = factor ? Math.min(Math.max(view.zoom * factor, 1), MOST) : 1;
    view.col = place.col + ((view.col - place.col) * view.zoom) / zoom;
    view.row = place.row + ((view.row - place.row) * view.zoom) / zoom;
    view.zoom = zoom;
    view.show();
  };

  view.move = (x, y) => {
    view.col -= x / view.scale();
    view.row -= y / view.scale();
    view.show();
  };

  view.goTo = (rect) => {
    view.zoom = Math.min(Math.max(Math.min(cols / rect.width, rows / rect.height) / 4, 1), MOST / 2);
    view.col = rect.x + rect.width / 2;
    view.row = rect.y + rect.height / 2;
    view.show();
  };

  const middle = (points) => [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  const spread = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 1) gesture = { kind: hooks.grab(event) ? "drag" : "pan", from: [event.clientX, event.clientY], far: false };
    else gesture = { kind: "pinch", far: true };
  });

  stage.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) {
      if (event.pointerType === "mouse") hooks.hover(event);
      return;
    }
    const before = [...fingers.values()];
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const after = [...fingers.values()];
    if (gesture.kind === "pinch") {
      if (after.length !== 2) return;
      const [x, y] = middle(after);
      view.enlarge(spread(after) / Math.max(spread(before), 1), view.place(x, y));
      view.move(x - middle(before)[0], y - middle(before)[1]);
      return;
    }
    gesture.far ||= spread([after[0], gesture.from]) > CLICK;
    if (!gesture.far) return;
    if (gesture.kind === "drag") hooks.drag(event);
    else view.move(after[0][0] - before[0][0], after[0][1] - before[0][1]);
  });

  // Else the browser takes a dragged picture for a file to be carried elsewhere.
  stage.addEventListener("dragstart", (event) => event.preventDefault());

  function release(event) {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    if (event.type === "pointerup" && !gesture.far) hooks.tap(event);
    gesture = null;
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);

  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    view.enlarge(Math.exp(-event.deltaY / 300), view.place(event.clientX, event.clientY));
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => view.enlarge(2, view.place(event.clientX, event.clientY)));

  const STEPS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const FACTORS = { "+": 2, "=": 2, "-": 0.5, 0: 0 };
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step && event.target === stage) {
      if (!hooks.key(step)) {
        if (view.zoom === 1) return;
        view.move(step[0] * stage.clientWidth * 0.1, step[1] * stage.clientWidth * 0.1);
      }
    } else if (event.key in FACTORS) view.enlarge(FACTORS[event.key]);
    else return;
    event.preventDefault();
  });

  stage.tabIndex = 0;
  stage.setAttribute("role", "group");
  stage.setAttribute("aria-label", "Pictures: arrow keys move them once enlarged; plus, minus and zero enlarge, reduce and show all");
  new ResizeObserver(view.show).observe(stage);
  return view;
}
