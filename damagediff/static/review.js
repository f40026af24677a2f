// Review: decisions on regions, buildings and claims, kept in the page, exported and imported as review.json.
// All words that come from a file are set as values or text, never as markup.
(() => {
  const section = document.querySelector("#review");
  if (!section) return;
  const FORMAT = 1;
  const MOST_BYTES = 4000000;
  const WORDS = {
    accepted: ["✓", "Accept"],
    rejected: ["✗", "Reject"],
    unsure: ["?", "Leave unsure"],
  };
  const FINDINGS = ["supports", "contradicts", "cannot tell"];
  const evidence = section.dataset.evidence;
  const reviewer = section.querySelector(".reviewer");
  const scale = section.querySelector(".scale");
  const told = section.querySelector(".told");
  const counts = document.querySelectorAll(".judged-count");
  const cells = new Map();
  const entries = new Map();
  const shelf = `damagediff review ${evidence}`;
  let exported = true;
  let shelved = true;

  const key = (kind, id) => `${kind} ${id}`;
  const tell = (words) => { told.textContent = words; };

  function make(tag, attributes, text) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    return made;
  }

  function entry(cell) {
    const { kind, id } = cell.dataset;
    const name = key(kind, id);
    if (!entries.has(name)) entries.set(name, { kind, id, answer: "", reason: "", grade: "", regions: "" });
    return entries.get(name);
  }

  function changed(cell) {
    exported = false;
    show(cell);
    store();
  }

  // Controls of one row: the three decisions at once, reason and grade when there is a decision.
  function build(cell) {
    const name = cell.dataset.name;
    const box = make("div", { class: "controls", role: "group", "aria-label": `Review of ${name}` });
    if (cell.dataset.kind === "claim") {
      const select = make("select", { class: "answer", "aria-label": `What the images show of ${name}` });
      for (const word of ["", ...FINDINGS]) select.append(make("option", { value: word }, word || "not said"));
      select.addEventListener("change", () => { entry(cell).answer = select.value; changed(cell); });
      box.append(select);
    } else {
      for (const [decision, [sign, verb]] of Object.entries(WORDS)) {
        const button = make("button", { type: "button", class: "decide", "data-decide": decision, "aria-pressed": "false",
          "aria-label": `${verb}: ${name}`, title: `${verb}: ${name}` }, sign);
        button.addEventListener("click", () => {
          const mine = entry(cell);
          mine.answer = mine.answer === decision ? "" : decision;
          changed(cell);
        });
        box.append(button);
      }
    }
    cell.append(box);
  }

  function text(cell, field, label, most) {
    const input = make("input", { type: "text", class: field, maxlength: most, autocomplete: "off", "aria-label": `${label}: ${cell.dataset.name}`,
      placeholder: label.toLowerCase() });
    input.addEventListener("input", () => { entry(cell)[field] = input.value; exported = false; store(); });
    return input;
  }

  function more(cell) {
    const box = cell.querySelector(".controls");
    if (box.querySelector(".reason")) return;
    if (cell.dataset.kind === "claim") box.append(text(cell, "regions", "Region numbers", 2000));
    box.append(text(cell, "reason", "Reason", 2000));
    if (scale && cell.dataset.kind !== "claim") {
      const select = make("select", { class: "grade", "aria-label": `Grade: ${cell.dataset.name}` });
      select.addEventListener("change", () => { entry(cell).grade = select.value; changed(cell); });
      box.append(select);
    }
  }

  const grades = () => (scale?.selectedOptions[0]?.dataset.grades || "").split("|").filter(Boolean);

  function show(cell) {
    const mine = entry(cell);
    if (mine.answer) more(cell);
    cell.dataset.answer = mine.answer;
    cell.querySelectorAll(".decide").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.decide === mine.answer));
    });
    const finding = cell.querySelector(".answer");
    if (finding) finding.value = mine.answer;
    for (const field of ["reason", "regions"]) {
      const input = cell.querySelector(`.${field}`);
      if (input && input.value !== mine[field]) input.value = mine[field];
    }
    const select = cell.querySelector(".grade");
    if (select) {
      const known = grades();
      if (!known.includes(mine.grade)) mine.grade = "";
      select.replaceChildren(...["", ...known].map((word) => make("option", { value: word }, word || "no grade")));
      select.value = mine.grade;
      select.hidden = !known.length;
    }
  }

  function count() {
    const given = [...entries.values()].filter((each) => each.answer && each.kind !== "claim").length;
    const all = [...cells.values()].filter((cell) => cell.dataset.kind !== "claim").length;
    counts.forEach((place) => { place.textContent = `${given} of ${all} listed are judged in this page.`; });
  }

  function store() {
    count();
    try {
      localStorage.setItem(shelf, JSON.stringify(whole()));
    } catch {
      shelved = false; // a browser that keeps nothing for pages from disk: the page itself still does
    }
  }

  function item(each) {
    const id = each.kind === "building" ? each.id : Number(each.id);
    if (each.kind === "claim") {
      const regions = each.regions.split(/[^0-9]+/).filter(Boolean).map(Number);
      return { kind: each.kind, id, finding: each.answer, regions, reason: each.reason };
    }
    return { kind: each.kind, id, decision: each.answer, reason: each.reason, grade: each.grade || null };
  }

  function whole() {
    const items = [...entries.values()].filter((each) => each.answer).map(item);
    return { format: FORMAT, evidence_id: evidence, reviewer: reviewer.value.trim(), scale: scale?.value || null, items };
  }

  function save() {
    const review = whole();
    if (!review.reviewer) {
      tell("State your initials first.");
      reviewer.focus();
      return;
    }
    if (!review.items.length) {
      tell("Nothing is judged yet.");
      return;
    }
    const file = new Blob([`${JSON.stringify(review, null, 1)}\n`], { type: "application/json" });
    const link = make("a", { href: URL.createObjectURL(file), download: "review.json" });
    section.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    exported = true;
    tell(`${review.items.length} judgements exported. Put them into the run with: damagediff review RUN review.json`);
  }

  const isText = (value, most) => typeof value === "string" && value.length <= most;

  function read(said) {
    if (said?.format !== FORMAT || !Array.isArray(said.items)) throw new Error("it is no review of format 1");
    if (said.evidence_id !== evidence) throw new Error("it is of another run: its evidence id is another one");
    if (said.items.length > 20000) throw new Error("it has more items than a review may have");
    return said.items.map((each, number) => {
      const claim = each?.kind === "claim";
      const answer = claim ? each.finding : each?.decision;
      const id = String(each?.id);
      const good = ["region", "building", "claim"].includes(each?.kind) && (claim ? FINDINGS.includes(answer) : Object.hasOwn(WORDS, answer))
        && ["string", "number"].includes(typeof each.id) && isText(each.reason ?? "", 2000);
      if (!good) throw new Error(`item ${number + 1} cannot be read`);
      const regions = claim && Array.isArray(each.regions) ? each.regions.map(Number).filter(Number.isInteger).join(", ") : "";
      return { kind: each.kind, id, answer, reason: each.reason ?? "", grade: isText(each.grade, 80) ? each.grade : "", regions };
    });
  }

  function take(said) {
    const items = read(said);
    reviewer.value = isText(said.reviewer, 40) ? said.reviewer : "";
    if (scale) scale.value = [...scale.options].some((option) => option.value === said.scale) ? said.scale : "";
    entries.clear();
    for (const each of items) entries.set(key(each.kind, each.id), each);
    cells.forEach(show);
    return items.length;
  }

  async function load(file) {
    try {
      if (file.size > MOST_BYTES) throw new Error("it is too large");
      const taken = take(JSON.parse(await file.text()));
      exported = true;
      store();
      tell(`${taken} judgements imported.`);
    } catch (error) {
      tell(`This file was not imported: ${error.message}`);
    }
  }

  function forget() {
    if (!confirm("Forget all that was entered in this page?")) return;
    entries.clear();
    cells.forEach(show);
    exported = true;
    store();
    tell("Forgotten.");
  }

  document.querySelectorAll(".judge").forEach((cell) => {
    cells.set(key(cell.dataset.kind, cell.dataset.id), cell);
    build(cell);
  });
  section.querySelector(".panel").hidden = false;
  section.querySelector(".export").addEventListener("click", save);
  section.querySelector(".forget").addEventListener("click", forget);
  section.querySelector(".import").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) load(file);
    event.target.value = "";
  });
  reviewer.addEventListener("input", store);
  scale?.addEventListener("change", () => { cells.forEach(show); store(); });
  addEventListener("beforeunload", (event) => {
    if (!exported && !shelved) event.preventDefault();
  });
  try {
    const kept = JSON.parse(localStorage.getItem(shelf));
    if (kept) take(kept);
  } catch {
    shelved = false;
  }
  count();
})();
