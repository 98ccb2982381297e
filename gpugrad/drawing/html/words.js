// What happens at a step, in words and numbers.

const OPERAND = 0xe000; // marks in a formula, from Unicode's private area: operand 0, 1, ..., and the result
const RESULT = 0xe800;

const GATES = {
  distributor: "a distributor", router: "a router", switcher: "a switcher", copy: "a copy: an adder on the way back",
  mover: "a mover",
};

function derivative(of, by) {
  return el("span", { class: "fraction" }, "\u2202", htmlName(of), "/\u2202", htmlName(by));
}

function number(text, kind) {
  return el("b", { class: `num ${kind}` }, text);
}

function inBrackets(text) {
  return text.startsWith(MINUS) || text.startsWith("-") ? `(${text})` : text;
}

// A formula with the operands as names, or as numbers.
function spelled(model, node, expression, asNumbers) {
  const formula = model.formulas[node.id];
  const names = formula.inputs.map((x, i) => (
    x !== null && typeof x === "object" ? String.fromCharCode(OPERAND + i) : typeset(plainNumber(fromJson(x ?? 0)))));
  const text = infix(expression, names, String.fromCharCode(RESULT));
  if (text === null) return null;
  const marks = new Map([[String.fromCharCode(RESULT), () => written(model, node, asNumbers, text)]]);
  formula.inputs.forEach((x, i) => {
    if (x === null || typeof x !== "object") return;
    marks.set(String.fromCharCode(OPERAND + i), () => written(model, model.nodes[x.node], asNumbers, text));
  });
  return rich(text, marks);
}

function written(model, node, asNumber, text) {
  if (!asNumber) return htmlName(node.called);
  const plain = shown(node.value);
  return number(text.length === 1 ? plain : inBrackets(plain), "value");
}

function marked(text) { // whether a formula has something to put in
  return text.some((part) => typeof part !== "string");
}

// ---------------------------------------------------------------- the step

// {title, badge, body: [elements], sentence}
function tell(model, stops, index) {
  const stop = stops[index];
  const event = model.events[stop.time];
  if (event.phase === "start") return tellStart(model);
  if (stop.group !== null) return tellBox(model, stop, event);
  const node = model.nodes[event.node];
  return { forward: tellForward, seed: tellSeed, backward: tellBackward, sum: tellSum }[event.phase](model, node);
}

function tellStart(model) {
  const leaves = model.nodes.filter((node) => node.kind !== "operation").length;
  const text = `The ${leaves} values on the left are given. Forward, every gate computes its value from those that `
    + "come in; backward, every gate hands its gradient on to them.";
  return { title: ["The inputs"], badge: "start", body: [el("p", {}, text)], sentence: `Start. ${leaves} values are given.` };
}

// How the page opens: everything is there, and nothing is lit.
function tellWhole(model) {
  const output = model.nodes[model.output];
  const back = output.gradient !== null;
  const text = `Every value${back ? " and every gradient" : ""} is there. Play, or go to the start and step: forward, gate after `
    + `gate${back ? ", then backward, where each gate multiplies the gradient that arrives by its local one" : ""}.`;
  return { title: ["The whole graph"], badge: "whole", body: [
    el("p", { class: "formula" }, htmlName(output.called), " = ", number(shown(output.value), "value")), el("p", {}, text)],
    sentence: "" };
}

function tellForward(model, node) {
  const formula = model.formulas[node.id];
  const lines = [];
  const inputs = node.ins.map((edge) => model.nodes[edge.source]);
  const names = formula === undefined ? null : spelled(model, node, formula.value, false);
  if (names !== null) {
    lines.push(el("p", { class: "formula" }, htmlName(node.called), " = ", names));
    const numbers = spelled(model, node, formula.value, true);
    lines.push(el("p", { class: "formula" }, "\u2007= ", marked(numbers) ? [numbers, " = "] : [],
      number(shown(node.value), "value")));
  } else {
    const of = operandNames(model, node).flatMap((operand, i) => [i > 0 ? ", " : "", operand]);
    lines.push(el("p", { class: "formula" }, htmlName(node.called), " = ", el("span", { class: "function" }, node.op),
      "(", of, ")"));
    lines.push(el("p", { class: "formula" }, "\u2007= ", number(shown(node.value), "value"), dims(node)));
  }
  const given = inputs.map((input) => `${input.called} = ${shown(input.value)}`).join(", ");
  const sentence = `Forward: ${node.op} computes ${node.called} = ${shown(node.value)}${given ? ` from ${given}` : ""}.`;
  return { title: gateTitle(node), badge: "forward", body: [...lines, arrayOf(node.value, "value")], sentence };
}

// The operands in their order, numbers that stand in the gate too.
function operandNames(model, node) {
  const found = node.ins.map((edge) => [edge.position, htmlName(model.nodes[edge.source].called)]);
  for (const [position, x] of Object.entries(node.constants ?? {})) {
    found.push([Number(position), typeset(plainNumber(fromJson(x)))]);
  }
  return found.sort((a, b) => a[0] - b[0]).map(([, operand]) => operand);
}

function tellSeed(model, node) {
  const body = [
    el("p", { class: "formula" }, derivative(node.called, node.called), " = ", number(shown(node.gradient), "gradient")),
    el("p", {}, "The way back begins at the output: ", node.gradient.low === 1 && node.gradient.high === 1
      ? "its gradient by itself is 1." : "this is the gradient that was given for it."),
  ];
  return { title: ["The output, ", htmlName(node.called)], badge: "backward", body,
    sentence: `Backward starts at ${node.called}, with gradient ${shown(node.gradient)}.` };
}

function sumLine(model, node) {
  const given = arriving(node);
  const from = given.flatMap((edge, i) => [i > 0 ? " + " : "", number(inBrackets(shown(edge.contribution)), "gradient")]);
  return el("p", { class: "formula" }, derivative(model.nodes[model.output].called, node.called), " = ", from, " = ",
    number(shown(node.gradient), "gradient"));
}

const MANY = 6;

function tellSum(model, node) {
  const given = arriving(node);
  const text = `${node.called} was copied to ${given.length} places. Copying forward is adding backward.`;
  const parts = given.slice(0, MANY).map((edge) => shown(edge.contribution)).join(" plus ");
  return { title: [htmlName(node.called), ", where branches meet"], badge: "backward",
    body: [given.length <= MANY ? sumLine(model, node) : null, el("p", {}, text), arrayOf(node.gradient, "gradient")],
    sentence: `Backward: ${given.length} branches meet at ${node.called}; their gradients add up${
      given.length <= MANY ? `, ${parts}` : ""}: ${shown(node.gradient)}.` };
}

function tellBackward(model, node) {
  const output = model.nodes[model.output].called;
  const giving = node.ins.filter((edge) => edge.contribution !== null);
  const several = arriving(node).length;
  const body = [];
  const upstream = shown(node.gradient);
  if (several > 1 && several <= MANY) {
    body.push(el("p", { class: "caption" }, "Upstream gradient: branches meet and add up"), sumLine(model, node));
  } else {
    body.push(el("p", { class: "caption" }, several > 1 ? `Upstream gradient, the sum of ${several} branches`
      : "Upstream gradient"));
    body.push(el("p", { class: "formula" }, derivative(output, node.called), " = ", number(upstream, "gradient")));
  }
  body.push(...giving.slice(0, 2 * MANY).map((edge) => edgeCard(model, node, edge)));
  if (giving.length > 2 * MANY) body.push(el("p", {}, `\u2026 and ${giving.length - 2 * MANY} more inputs.`));
  body.push(el("p", { class: "says" }, sentenceCase(node.says), node.says.endsWith(".") ? "" : "."));
  const words = giving.slice(0, MANY).map((edge) => {
    const to = model.nodes[edge.source].called;
    if (edge.local === null || edge.local.number === null) return `${to} gets ${shown(edge.contribution)}`;
    return `${to} gets ${upstream} times ${shown(edge.local)} = ${shown(edge.contribution)}`;
  });
  const sum = several > 1 ? `, the sum of ${several} branches` : "";
  return { title: gateTitle(node), badge: "backward", body,
    sentence: `Backward: ${node.op} ${node.called}, upstream gradient ${upstream}${sum}; ${words.join("; ")}.` };
}

// One input: its local gradient, times the upstream gradient, is what it gets.
function edgeCard(model, node, edge) {
  const source = model.nodes[edge.source];
  const formula = model.formulas[node.id];
  const expression = formula === undefined ? undefined : formula.local[edge.position];
  const names = expression === undefined || expression === null ? null : spelled(model, node, expression, false);
  const scalar = edge.local !== null && edge.local.number !== null && edge.contribution.number !== null;
  const rows = [el("dt", {}, "local"), el("dd", { class: "formula" }, derivative(node.called, source.called), " = ",
    names !== null && marked(names) ? [names, " = "] : [],
    edge.local === null ? "?" : edge.local.number === null ? el("span", { class: "described" }, edge.local.text)
      : number(shown(edge.local), "local"))];
  rows.push(el("dt", {}, scalar ? "\u00d7 upstream" : "gets"), el("dd", { class: "formula" }, scalar ? [
    number(inBrackets(shown(edge.local)), "local"), " \u00d7 ", number(inBrackets(shown(node.gradient)), "gradient"),
    " = "] : [], number(shown(edge.contribution), "gradient"), dims(source)));
  return el("section", { class: "edge", "data-edge": edge.id }, el("h3", {}, "to ", htmlName(source.called)),
    el("dl", {}, rows), scalar ? null : arrayOf(edge.contribution, "gradient"));
}

function tellBox(model, stop, event) {
  const group = model.groups[stop.group];
  const count = stop.time - stop.first + 1;
  const forward = event.phase === "forward";
  const inside = new Set(group.nodes);
  const at = (time) => time >= stop.first && time <= stop.time;
  const outs = group.nodes.map((id) => model.nodes[id]).filter((node) => at(node.valueTime)
    && (node.id === model.output || node.outs.some((edge) => !inside.has(edge.target))));
  const back = model.edges.filter((edge) => at(edge.time) && !inside.has(edge.source));
  const list = forward ? outs.map((node) => [node.called, node.value, "value"])
    : back.map((edge) => [model.nodes[edge.source].called, edge.contribution, "gradient"]);
  const items = list.slice(0, 2 * MANY).map(([name, found, kind]) => el("li", { class: "formula" },
    htmlName(name), forward ? " = " : " gets ", number(shown(found), kind)));
  const text = forward ? `${count} operation${count === 1 ? "" : "s"} inside computed their values.`
    : `The gradient went back through ${count} operation${count === 1 ? "" : "s"} inside. Open the box to see each.`;
  const said = list.slice(0, 3).map(([name, found]) => `${name} ${forward ? "=" : "gets"} ${shown(found)}`).join(", ");
  return { title: [group.label], badge: forward ? "forward" : "backward", body: [el("p", {}, text), el("ul", {}, items)],
    sentence: `${forward ? "Forward" : "Backward"} through the box ${group.label}, ${count} steps. ${said}${said ? "." : ""}` };
}

// ---------------------------------------------------------------- pieces

function gateTitle(node) {
  const word = GATES[node.gate] ?? null;
  const same = node.label === node.op;
  return [el("span", { class: "chip", "aria-hidden": same ? null : "true" }, node.label), same ? null : node.op,
    word === null ? null : el("span", { class: "role" }, word)];
}

function sentenceCase(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function dims(node) {
  return node.shape.length === 0 ? null : el("span", { class: "dims" }, ` ${node.shape.join("\u00d7")}`);
}

// Arrays of up to 16 numbers as a table, with the sign as a colour and the size as its strength.
function arrayOf(found, kind) {
  if (found === null || found.shape.length === 0 || found.numbers.length === 0) return null;
  if (found.text.startsWith("[")) return null; // a short vector says it all
  const total = found.shape.reduce((a, b) => a * b, 1);
  if (total > found.numbers.length || found.shape.length > 2) {
    return el("p", { class: "range" }, `from ${typeset(short(found.low))} to ${typeset(short(found.high))}; first: ${
      found.numbers.slice(0, 4).map((x) => typeset(short(x))).join(", ")} \u2026`);
  }
  const columns = found.shape[found.shape.length - 1];
  const largest = Math.max(1e-30, ...found.numbers.map(Math.abs).filter(Number.isFinite));
  const rows = [];
  for (let i = 0; i < found.numbers.length; i += columns) {
    rows.push(el("tr", {}, found.numbers.slice(i, i + columns).map((x) => el("td", {
      style: `--share:${Number.isFinite(x) ? (Math.abs(x) / largest * 0.3).toFixed(3) : 0.3}`,
      class: x < 0 ? "below" : "above",
    }, typeset(short(x))))));
  }
  return el("div", { class: "scroll" }, el("table", { class: `matrix ${kind}`, "aria-label": kind }, el("tbody", {}, rows)));
}

// Everything that is known of a node, with all digits.
function details(model, node, time, line) {
  const rows = [];
  const add = (name, ...what) => rows.push(el("dt", {}, name), el("dd", {}, ...what));
  add("is", node.kind === "operation" ? node.op : leafWord(node));
  add("type", `${node.dtype}${node.shape.length ? `, shape (${node.shape.join(", ")})` : ""}`);
  const put = (name, found, known) => {
    if (found === null || !known) return;
    add(name, el("span", { class: `num ${name}` },
      found.number === null ? shown(found) : typeset(exact(found.number, node.dtype))));
  };
  put("value", node.value, time >= node.valueTime);
  put("gradient", node.gradient, time >= node.gradientTime);
  if (line && node.line) add("line", el("code", {}, node.line));
  return el("dl", { class: "details" }, rows);
}
