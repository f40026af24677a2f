// Five ways to compare: swipe, blink, overlay, side by side, loupe. One is on; what it needs is under the picture.
function makeModes(viewer, view, tell) {
  const stage = viewer.querySelector(".stage");
  const layers = [...stage.querySelectorAll(".layer")];
  const pictures = layers.map((layer) => layer.querySelector("img"));
  const range = viewer.querySelector(".swipe-range");
  const opacity = viewer.querySelector(".opacity");
  const pace = viewer.querySelector(".pace");
  const play = viewer.querySelector(".play");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const cols = Number(viewer.dataset.cols);
  const rows = Number(viewer.dataset.rows);
  const GRIP = 28;
  const LENS = 132;
  let timer = null;
  let lens = null;
  const mode = () => viewer.dataset.mode;

  // Swipe: a native slider for keys and screen readers; the pointer moves it over the whole picture.
  function swipe() {
    stage.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${Math.round(range.value)} % before, ${Math.round(100 - range.value)} % after`);
  }
  function swipeTo(event) {
    const box = stage.getBoundingClientRect();
    range.value = (100 * (event.clientX - box.left)) / box.width;
    swipe();
  }
  range.addEventListener("input", swipe);

  // Overlay.
  function blend() {
    stage.style.setProperty("--opacity", opacity.value / 100);
    opacity.setAttribute("aria-valuetext", `${opacity.value} % of the after picture`);
  }
  opacity.addEventListener("input", blend);

  // Blink: at most 2.5 changes a second; it never starts by itself where less motion is asked for.
  const flip = () => stage.classList.toggle("flipped");
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "start";
    play.setAttribute("aria-label", "Start to blink");
  }
  function start() {
    stop();
    timer = setInterval(flip, 1000 * Math.max(0.4, pace.value));
    play.textContent = "stop";
    play.setAttribute("aria-label", "Stop to blink");
  }
  play.addEventListener("click", () => {
    if (timer === null) start();
    else stop();
    tell(timer === null ? `Stopped: ${stage.classList.contains("flipped") ? "after" : "before"} picture` : "Blinking");
  });
  viewer.querySelector(".flip").addEventListener("click", () => {
    stop();
    flip();
    tell(`${stage.classList.contains("flipped") ? "After" : "Before"} picture`);
  });
  pace.addEventListener("input", () => {
    pace.setAttribute("aria-valuetext", `${pace.value} seconds for each picture`);
    if (timer !== null) start();
  });
  still.addEventListener("change", () => still.matches && stop());

  // Loupe: the same place of both pictures, each of its pixels as a square.
  function makeLens() {
    const box = document.createElement("div");
    box.className = "lens";
    box.setAttribute("aria-hidden", "true");
    for (const word of ["before", "after"]) {
      const half = document.createElement("div");
      const canvas = document.createElement("canvas");
      half.append(canvas, word);
      box.append(half);
    }
    stage.append(box);
    return { box, canvases: [...box.querySelectorAll("canvas")], col: cols / 2, row: rows / 2 };
  }
  function look() {
    if (mode() !== "loupe") return;
    lens ??= makeLens();
    const times = Math.max(4, 3 * view.scale());
    const side = LENS / times;
    const sharp = Math.min(devicePixelRatio || 1, 3);
    lens.canvases.forEach((canvas, k) => {
      canvas.width = canvas.height = Math.round(LENS * sharp);
      const pen = canvas.getContext("2d");
      pen.imageSmoothingEnabled = false;
      pen.drawImage(pictures[k], lens.col - side / 2, lens.row - side / 2, side, side, 0, 0, canvas.width, canvas.height);
    });
    const { x, y } = view.onScreen(lens);
    const width = 2 * LENS + 14;
    const height = LENS + 34;
    lens.box.style.left = `${Math.min(Math.max(x - width / 2, 0), Math.max(stage.clientWidth - width, 0))}px`;
    lens.box.style.top = `${y > height + 24 ? y - height - 24 : y + 24}px`;
    stage.style.setProperty("--lens-x", `${x}px`);
    stage.style.setProperty("--lens-y", `${y}px`);
  }
  function lookAt({ col, row }) {
    lens ??= makeLens();
    lens.col = Math.min(Math.max(col, 0), cols);
    lens.row = Math.min(Math.max(row, 0), rows);
    look();
  }

  function setMode(name) {
    viewer.dataset.mode = name;
    stop();
    stage.classList.remove("flipped");
    viewer.querySelectorAll("[data-for]").forEach((part) => { part.hidden = part.dataset.for !== name; });
    const wide = name === "side" && !matchMedia("(max-width: 520px)").matches ? 2 : 1;
    stage.style.maxWidth = `calc(82vh * ${(cols / rows) * wide})`;
    if (name === "blink" && !still.matches) start();
    view.show();
    if (name === "loupe") lookAt(view);
  }

  view.hooks.grab = (event) => {
    if (mode() === "loupe") return true;
    if (mode() !== "swipe") return false;
    const box = stage.getBoundingClientRect();
    return view.zoom === 1 || Math.abs(event.clientX - box.left - (range.value / 100) * box.width) < GRIP;
  };
  view.hooks.drag = (event) => (mode() === "loupe" ? lookAt(view.place(event.clientX, event.clientY)) : swipeTo(event));
  view.hooks.hover = (event) => mode() === "loupe" && lookAt(view.place(event.clientX, event.clientY));
  view.hooks.key = ([x, y]) => {
    if (mode() !== "loupe") return false;
    const step = 12 / view.scale();
    lookAt({ col: lens.col - x * step, row: lens.row - y * step });
    return true;
  };

  viewer.querySelectorAll("input[name=mode]").forEach((choice) => {
    choice.addEventListener("change", () => {
      setMode(choice.value);
      tell(timer === null ? "" : "Blinking");
    });
    if (choice.checked) setMode(choice.value);
  });
  swipe();
  blend();
  return { mode, look, lookAt, swipeTo };
}
