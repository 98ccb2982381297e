// What the page does: the state (which step, which boxes are open, what is chosen), and what changes it.

const byId = (id) => document.getElementById(id);
const model = makeModel(JSON.parse(byId("picture").textContent), FUNCTIONS);
const canvas = byId("graph");
const layers = { boxes: byId("open-boxes"), wires: byId("wires"), flows: byId("flows"), labels: byId("labels"), nodes: byId("nodes") };
const view = makeView(canvas, byId("viewport"));
const state = { time: model.events.length - 1, open: new Set(), chosen: null, focus: null, timer: null, untouched: true };
let scene;
let drawn;
let stops;

for (const group of model.groups) if (group.open) state.open.add(group.id);
const isOpen = (group) => state.open.has(group);

// ---------------------------------------------------------------- drawing

function rebuild() {
  scene = makeScene(model, isOpen, measure);
  drawn = drawScene(model, scene, layers);
  view.width = scene.width;
  view.height = scene.height;
  stops = makeStops(model, scene.places);
  state.time = stops[stopAt(stops, state.time)].time;
  const slider = byId("slider");
  slider.max = stops.length - 1;
  const forward = stops.filter((stop) => stop.time <= model.forwardEnd).length - 1;
  slider.style.setProperty("--split", `${Math.round((100 * forward) / Math.max(1, stops.length - 1))}%`);
  byId("boxes").textContent = state.open.size < model.groups.length ? "Open all" : "Fold all";
  setStop(focusable()[0] ?? null);
  refresh(false);
}

function refresh(speak) {
  const index = stopAt(stops, state.time);
  const whole = state.untouched && index === stops.length - 1;
  const story = whole ? tellWhole(model) : tell(model, stops, index);
  showMoment(model, scene, drawn, state.time);
  lightUp(model, scene, drawn, layers, whole ? { nodes: new Set(), boxes: new Set(), edges: [], direction: "forth" }
    : litAt(model, scene, stops[index]));
  byId("slider").value = index;
  const word = stepWord(model, stops, index);
  byId("slider").setAttribute("aria-valuetext", `${index} of ${stops.length - 1}: ${word}`);
  setText(byId("where"), word);
  byId("first").disabled = byId("previous").disabled = index === 0;
  byId("last").disabled = byId("next").disabled = index === stops.length - 1;
  setText(byId("badge"), whole ? `${stops.length - 1} steps`
    : `Step ${index} of ${stops.length - 1}${story.badge === "start" ? "" : ` \u00b7 ${story.badge}`}`);
  byId("step").className = `card ${story.badge}`;
  byId("step-title").replaceChildren(...story.title.filter((part) => part !== null));
  byId("step-body").replaceChildren(...story.body.flat(Infinity).filter((part) => part !== null));
  if (speak) setText(byId("live"), `Step ${index} of ${stops.length - 1}. ${story.sentence}`);
  showChosen();
  showLeaves();
  if (byId("all").open) fillTable();
}

function goTo(index) {
  state.untouched = false;
  view.near(readable());
  state.time = stops[Math.min(stops.length - 1, Math.max(0, index))].time;
  refresh(true);
  const { group, time } = stops[stopAt(stops, state.time)];
  const node = model.events[time].node;
  if (node === null) {
    const leaves = [...scene.nodes.values()].filter((place) => model.nodes[place.node].kind !== "operation");
    if (leaves.length > 0) show(leaves.reduce((a, b) => (b.x < a.x ? b : a)), 0, 0);
    return;
  }
  const place = group === null && scene.nodes.get(node) || scene.boxes.get(scene.places[node].group ?? group);
  if (place !== undefined) show(place, model.events[time].phase === "backward" ? 120 : 60, (place.stub ?? 0) + 10);
}

function show(place, before, after) {
  view.show(place.x - before, place.y - 20, place.x + place.width + after, place.y + place.height + 20);
}

// ---------------------------------------------------------------- steps

const here = () => stopAt(stops, state.time);

function play(on) {
  document.body.classList.toggle("playing", on);
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
  clearTimeout(state.timer);
  state.timer = null;
  if (!on) return;
  if (here() === stops.length - 1) goTo(0);
  const tick = () => {
    if (here() >= stops.length - 1) {
      play(false);
      return;
    }
    goTo(here() + 1);
    state.timer = setTimeout(tick, 1300 / Number(byId("speed").value));
  };
  state.timer = setTimeout(tick, 700 / Number(byId("speed").value));
}

function stepBy(change) {
  play(false);
  goTo(here() + change);
}

byId("first").addEventListener("click", () => { play(false); goTo(0); });
byId("last").addEventListener("click", () => { play(false); goTo(stops.length - 1); });
byId("previous").addEventListener("click", () => stepBy(-1));
byId("next").addEventListener("click", () => stepBy(1));
byId("play").addEventListener("click", () => play(state.timer === null));
byId("slider").addEventListener("input", (event) => { play(false); goTo(Number(event.target.value)); });

// ---------------------------------------------------------------- boxes

function toggle(group) {
  const before = scene.boxes.get(group);
  if (state.open.has(group)) state.open.delete(group);
  else state.open.add(group);
  rebuild();
  const after = scene.boxes.get(group);
  if (view.own) view.pan((before.x - after.x) * view.scale, (before.y - after.y) * view.scale);
  else view.fit(true, least());
  const element = drawn.boxes.get(group);
  setStop(element);
  element.focus({ preventScroll: true });
  setText(byId("live"), `${model.groups[group].label} ${state.open.has(group) ? "opened" : "folded"}.`);
}

byId("boxes").hidden = model.groups.length === 0;
byId("boxes").addEventListener("click", () => {
  if (state.open.size < model.groups.length) model.groups.forEach((group) => state.open.add(group.id));
  else state.open.clear();
  rebuild();
  view.fit(true, least());
});

// ---------------------------------------------------------------- looking at a node

function choose(id) {
  drawn.nodes.get(state.chosen)?.element.classList.remove("chosen");
  state.chosen = state.chosen === id ? null : id;
  showChosen();
}

function showChosen() {
  const node = state.chosen === null ? null : model.nodes[state.chosen];
  byId("chosen").hidden = node === null;
  if (node === null) return;
  drawn.nodes.get(node.id)?.element.classList.add("chosen");
  byId("chosen-title").replaceChildren(htmlName(node.called),
    node.kind === "operation" ? el("span", { class: "chip after" }, node.label) : "");
  const arrays = [arrayOf(state.time >= node.valueTime ? node.value : null, "value"),
    arrayOf(state.time >= node.gradientTime ? node.gradient : null, "gradient")];
  byId("chosen-body").replaceChildren(details(model, node, state.time, true), ...arrays.filter((part) => part !== null),
    ...(node.says ? [el("p", { class: "says" }, sentenceCase(node.says), node.says.endsWith(".") ? "" : ".")] : []));
}

function showTip(target) {
  const tip = byId("tip");
  const node = model.nodes[Number(target.dataset.node)];
  tip.replaceChildren(el("h3", {}, htmlName(node.called)), details(model, node, state.time, false));
  tip.hidden = false;
  const around = canvas.getBoundingClientRect();
  const box = target.querySelector(".shape").getBoundingClientRect();
  const left = Math.min(around.width - tip.offsetWidth - 8, Math.max(8, box.left - around.left + box.width / 2 - tip.offsetWidth / 2));
  const below = box.bottom - around.top + 26;
  const fits = below + tip.offsetHeight < around.height - 4;
  tip.style.left = `${left}px`;
  tip.style.top = `${fits ? below : Math.max(4, box.top - around.top - tip.offsetHeight - 24)}px`;
}

const hideTip = () => { byId("tip").hidden = true; };

canvas.addEventListener("pointerover", (event) => {
  const target = event.target.closest("[data-node]");
  if (target !== null && event.pointerType === "mouse" && event.buttons === 0) showTip(target);
  else hideTip();
});
canvas.addEventListener("pointerleave", hideTip);
canvas.addEventListener("pointerdown", hideTip);
canvas.addEventListener("focusin", (event) => {
  const target = event.target.closest("[data-node]");
  if (target !== null && event.target.matches(":focus-visible")) showTip(target);
});
canvas.addEventListener("focusout", hideTip);
canvas.addEventListener("click", (event) => {
  if (!view.moved) act(event.target.closest("[data-node], [data-box]"));
});

function act(target) {
  if (target === null) return;
  if (target.dataset.box !== undefined) {
    toggle(Number(target.dataset.box));
    return;
  }
  const id = Number(target.dataset.node);
  setStop(target);
  choose(id);
  const input = byId(`leaf-${id}`);
  if (input !== null && state.chosen === id && !coarse.matches) { // a finger wants to see, not to be scrolled away
    input.focus();
    input.select();
  }
}

// One node at a time can be reached with Tab; the arrows walk on from there.
function focusable() {
  const nodes = [...drawn.nodes].map(([id, { element }]) => [id, element]);
  const boxes = [...drawn.boxes].map(([id, element]) => [Math.min(...model.groups[id].nodes) - 0.5, element]);
  return [...nodes, ...boxes].sort((a, b) => a[0] - b[0]).map(([, element]) => element);
}

function setStop(element) {
  state.focus?.setAttribute("tabindex", -1);
  state.focus = element;
  element?.setAttribute("tabindex", 0);
}

function walk(change) {
  const list = focusable();
  const at = list.indexOf(document.activeElement);
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + change))];
  const { node, box } = next.dataset;
  const place = node !== undefined ? scene.nodes.get(Number(node)) : scene.boxes.get(Number(box));
  view.show(place.x, place.y, place.x + Math.min(place.width, 300), place.y + Math.min(place.height, 200));
  setStop(next);
  next.focus({ preventScroll: true });
}

// ---------------------------------------------------------------- changing values

const leaves = model.nodes.filter((node) => node.kind === "leaf" && node.value !== null);
const given = new Map(leaves.map((node) => [node.id, node.value.number]));

function makeForm() {
  byId("values").hidden = leaves.length === 0;
  byId("why").textContent = model.editable ? "Everything is computed again at once, here in the page."
    : `The values cannot be changed here. ${model.why}`;
  if (!model.editable) return;
  byId("leaves").append(...leaves.map((node) => el("div", { class: "leaf" },
    el("label", { for: `leaf-${node.id}` }, htmlName(node.called)),
    el("input", { type: "number", step: "any", required: true, id: `leaf-${node.id}`, value: exact(node.value.number, node.dtype),
      oninput: () => change(node) }),
    el("span", { class: "gradient", id: `gradient-${node.id}` }))));
  byId("leaves").append(el("div", { class: "row" },
    el("button", { type: "button", id: "reset", onclick: reset }, "Reset"),
    el("button", { type: "button", id: "descend", onclick: descend,
      title: "each value minus 0.1 times its gradient" }, "One step downhill")));
  byId("leaves").addEventListener("submit", (event) => event.preventDefault());
}

function change(node) {
  const x = byId(`leaf-${node.id}`).valueAsNumber;
  if (Number.isNaN(x)) return;
  node.value = preview(rounding(node.dtype)(x));
  changed();
}

function changed() {
  model.recompute();
  model.edited = leaves.some((node) => node.value.number !== given.get(node.id));
  refresh(false);
  const output = model.nodes[model.output];
  setText(byId("live"), `${output.called} is now ${shown(output.value)}.`);
}

function put(values) {
  for (const node of leaves) {
    node.value = preview(rounding(node.dtype)(values(node)));
    byId(`leaf-${node.id}`).value = exact(node.value.number, node.dtype);
  }
  changed();
}

const reset = () => put((node) => given.get(node.id));
const descend = () => put((node) => node.value.number - (node.gradient === null ? 0 : 0.1 * node.gradient.number));

function showLeaves() {
  if (!model.editable) return;
  byId("reset").disabled = !model.edited;
  byId("descend").disabled = model.nodes[model.output].gradient === null;
  for (const node of leaves) {
    setText(byId(`gradient-${node.id}`), state.time >= node.gradientTime ? shown(node.gradient) : "");
  }
}

// ---------------------------------------------------------------- the table

function fillTable() {
  const rows = model.nodes.map((node) => el("tr", {}, el("th", { scope: "row" }, htmlName(node.called)),
    el("td", {}, node.kind === "operation" ? node.op : leafWord(node)),
    el("td", { class: "value" }, state.time >= node.valueTime ? shown(node.value) : ""),
    el("td", { class: "gradient" }, state.time >= node.gradientTime ? shown(node.gradient) : "")));
  const head = ["", "what", "value", "gradient"].map((name) => el("th", { scope: "col" }, name || "name"));
  byId("table").replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
}

byId("all").addEventListener("toggle", () => { if (byId("all").open) fillTable(); });

// ---------------------------------------------------------------- the rest of the page

const coarse = window.matchMedia("(pointer: coarse)");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function showTheme() {
  const now = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  byId("theme").setAttribute("aria-pressed", String(now === "dark"));
  return now;
}

byId("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = showTheme() === "dark" ? "light" : "dark";
  showTheme();
});
dark.addEventListener("change", showTheme);

byId("closer").addEventListener("click", () => view.zoom(1.3, undefined, undefined, true));
byId("farther").addEventListener("click", () => view.zoom(1 / 1.3, undefined, undefined, true));
byId("fit").addEventListener("click", () => view.fit(true));

const KEYS = {
  ArrowLeft: () => stepBy(-1), ArrowRight: () => stepBy(1), Home: () => { play(false); goTo(0); },
  End: () => { play(false); goTo(stops.length - 1); }, " ": () => play(state.timer === null),
  ArrowUp: () => walk(-1), ArrowDown: () => walk(1),
  "+": () => view.zoom(1.3, undefined, undefined, true), "=": () => view.zoom(1.3, undefined, undefined, true),
  "-": () => view.zoom(1 / 1.3, undefined, undefined, true), 0: () => view.fit(true),
  Enter: () => act(document.activeElement.closest("[data-node], [data-box]")),
  Escape: () => { hideTip(); if (state.chosen !== null) choose(state.chosen); },
};

document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, summary")) return;
  if (target.closest("button") && (event.key === " " || event.key === "Enter")) return;
  const inGraph = canvas.contains(target);
  if (event.key === "Enter" && !inGraph) return;
  if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !inGraph && target !== document.body) return;
  const action = KEYS[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
});

// Where the whole picture is too small to read, the steps are followed in a part of it.
function readable() {
  return canvas.getBoundingClientRect().width < 600 ? 0.8 : 0.55;
}

// Where boxes are folded anyway, and in small windows, more of them are, the deepest first, until the whole can be read.
function foldInnermost() {
  const depth = (group) => (group === null ? 0 : 1 + depth(model.groups[group].parent));
  const deepest = Math.max(0, ...[...state.open].map(depth));
  for (const group of [...state.open]) if (depth(group) === deepest) state.open.delete(group);
  if (deepest > 0) rebuild();
  return deepest > 0;
}

// It opens as a whole, and stays so until somebody steps.
function least() {
  return state.untouched ? 0 : readable();
}

byId("title").textContent = model.title;
byId("marked").hidden = !model.nodes.some((node) => node.parameter);
makeForm();
showTheme();
rebuild();
view.fit(false, least());
const folds = state.open.size < model.groups.length || readable() > 0.6;
while (folds && view.scale < readable() && foldInnermost()) view.fit(false, least());
new ResizeObserver(() => { if (!view.own) view.fit(false, least()); }).observe(canvas);
document.body.dataset.ready = "true";
