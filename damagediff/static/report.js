// Puts the page's parts together.
(() => {
  document.documentElement.classList.add("js");

  // A page opened from disk may not use the clipboard everywhere: then the words are selected, to be copied by hand.
  async function copy(button) {
    const words = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(words);
      button.textContent = "copied";
    } catch {
      const shown = button.closest("li").firstChild;
      getSelection().setBaseAndExtent(shown, 0, shown, shown.length);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });

  const viewer = document.querySelector(".viewer.linked");
  if (!viewer) return;
  const status = viewer.querySelector(".status");
  const bar = viewer.querySelector(".bar-line");
  const tell = (words) => { status.textContent = words; };
  const view = makeView(viewer.querySelector(".stage"), Number(viewer.dataset.cols), Number(viewer.dataset.rows));
  const modes = makeModes(viewer, view, tell);
  makeRegions(viewer, view, modes, tell);

  view.hooks.shown = () => {
    if (bar) bar.style.width = `${(viewer.querySelector(".bar").dataset.share / 100) * viewer.querySelector(".layer").clientWidth * view.zoom}px`;
    modes.look();
  };
  viewer.querySelectorAll("[data-zoom]").forEach((button) => {
    button.addEventListener("click", () => {
      view.enlarge(Number(button.dataset.zoom));
      tell(view.zoom === 1 ? "Whole picture" : `Enlarged ${Math.round(view.zoom * 10) / 10} times`);
    });
  });
  view.show();
})();
