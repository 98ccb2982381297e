// The graph: what came from Python, what belongs to what, and computing it again with other values at the leaves.

function makeModel(picture, functions) {
  const nodes = picture.nodes.map((node) => ({
    ...node, value: read(node.value), gradient: read(node.gradient), ins: [], outs: [],
  }));
  const edges = picture.edges.map((edge) => ({
    ...edge, local: read(edge.local), contribution: read(edge.contribution),
  }));
  for (const edge of edges) {
    nodes[edge.source].outs.push(edge);
    nodes[edge.target].ins.push(edge);
  }
  for (const node of nodes) node.ins.sort((a, b) => a.position - b.position);
  const groups = picture.groups.map((group) => ({ ...group, nodes: [], children: [] }));
  for (const group of groups) if (group.parent !== null) groups[group.parent].children.push(group.id);
  for (const node of nodes) {
    for (let g = node.group; g !== null; g = groups[g].parent) groups[g].nodes.push(node.id);
  }
  const model = { title: picture.title, nodes, edges, groups, output: picture.output, edited: false };
  nameNodes(model);
  model.events = timeline(model);
  model.why = whyNotEditable(picture);
  model.editable = model.why === null;
  if (model.editable) model.recompute = computer(model, picture.formulas.nodes, functions);
  model.formulas = picture.formulas === null ? {} : picture.formulas.nodes || {};
  return model;
}

function read(found) {
  if (found === null || found === undefined) return null;
  return {
    ...found, number: fromJson(found.number), numbers: found.numbers.map(fromJson),
    low: fromJson(found.low), high: fromJson(found.high),
  };
}

// Every value is called something, so that sentences can speak of it. Results without a name are v1, v2, ...; values that
// share a name, as those of a variable in a loop do, are numbered in their order: h0, h1, ...
function nameNodes(model) {
  const sharing = new Map();
  for (const { name } of model.nodes) if (name !== null) sharing.set(name, (sharing.get(name) ?? 0) + 1);
  const letter = sharing.has("v") ? "u" : "v";
  const seen = new Map();
  let count = 0;
  for (const node of model.nodes) {
    const { name } = node;
    if (name === null) {
      node.called = node.kind === "operation" ? `${letter}${++count}` : node.value === null ? node.label : shown(node.value);
    } else if (sharing.get(name) === 1) {
      node.called = name;
    } else {
      const at = seen.get(name) ?? (node.kind === "operation" ? 1 : 0);
      seen.set(name, at + 1);
      const numbered = /\d$/.test(name) || name.length > 2 ? `${name} (${at})` : `${name}${at}`;
      node.called = sharing.has(numbered) ? `${name} (${at})` : numbered;
    }
  }
  const output = model.nodes[model.output];
  if (output.name === null) output.called = sharing.has("f") ? "L" : "f";
}

function whyNotEditable(picture) {
  if (picture.formulas === null) {
    return "Some of them are arrays: only in a graph of single numbers can the page compute everything again.";
  }
  if (picture.nodes.some((node) => node.value === null)) {
    return "Some of them are not known: draw a function, or what was computed inside gg.observe().";
  }
  const { missing, nodes } = picture.formulas;
  const unknown = picture.nodes.filter((node) => node.kind === "operation" && !(node.id in nodes));
  if (missing.length + unknown.length === 0) return null;
  const names = missing.length ? missing : [...new Set(unknown.map((node) => node.op))];
  return `The page cannot write down as a formula what ${names.slice(0, 3).join(", ")} computes.`;
}

// What happens when. First all leaves are there; then one operation after the other; then back, and at last the sums at
// the leaves whose value went several ways.
function timeline(model) {
  const events = [{ phase: "start", node: null }];
  const { nodes, edges, output } = model;
  for (const node of nodes) {
    node.valueTime = 0;
    if (node.kind === "operation") {
      node.valueTime = events.length;
      events.push({ phase: "forward", node: node.id });
    }
  }
  model.forwardEnd = events.length - 1;
  for (const node of nodes) node.gradientTime = Infinity;
  for (const edge of edges) edge.time = Infinity;
  if (nodes[output].gradient === null) return events;
  nodes[output].gradientTime = events.length;
  events.push({ phase: "seed", node: output });
  const waiting = nodes.map((node) => arriving(node).length);
  const sums = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    const giving = node.ins.filter((edge) => edge.contribution !== null);
    if (giving.length === 0) continue;
    const time = events.length;
    events.push({ phase: "backward", node: node.id });
    for (const edge of giving) {
      edge.time = time;
      waiting[edge.source]--;
    }
    for (const source of new Set(giving.map((edge) => edge.source))) {
      if (waiting[source] !== 0) continue;
      const leaf = nodes[source];
      if (leaf.kind !== "operation" && arriving(leaf).length > 1) {
        sums.push(source);
      } else if (source !== output) {
        leaf.gradientTime = time;
      }
    }
  }
  for (const leaf of sums.sort((a, b) => a - b)) {
    nodes[leaf].gradientTime = events.length;
    events.push({ phase: "sum", node: leaf });
  }
  return events;
}

// The edges over which a node's gradient comes.
function arriving(node) {
  return node.outs.filter((edge) => edge.contribution !== null);
}

// ---------------------------------------------------------------- computing again

function evaluate(expression, operands, y, functions) {
  if (!Array.isArray(expression)) return fromJson(expression);
  const [head, ...parts] = expression;
  if (head === "x") return operands[parts[0]];
  if (head === "y") return y;
  if (head === "where") { // only the branch that is taken
    const [condition, yes, no] = parts;
    return evaluate(evaluate(condition, operands, y, functions) ? yes : no, operands, y, functions);
  }
  return functions[head](...parts.map((part) => evaluate(part, operands, y, functions)));
}

function rounding(dtype) {
  if (dtype === "float16" && Math.f16round !== undefined) return Math.f16round;
  return dtype === "float32" ? Math.fround : (x) => x;
}

function operandsOf(formula, nodes) {
  return formula.inputs.map((x) => (x !== null && typeof x === "object" ? nodes[x.node].value.number : fromJson(x)));
}

// What computes every value and gradient again, after the values of leaves have changed.
function computer(model, formulas, functions) {
  const { nodes } = model;
  return function recompute() {
    for (const node of nodes) {
      const formula = formulas[node.id];
      if (formula === undefined) continue;
      const y = evaluate(formula.value, operandsOf(formula, nodes), undefined, functions);
      node.value = preview(rounding(node.dtype)(Number(y)));
    }
    for (let i = nodes.length - 1; i >= 0; i--) {
      const node = nodes[i];
      const given = arriving(node);
      const round = rounding(node.dtype);
      if (given.length > 0) { // the output keeps the gradient that it was given
        node.gradient = preview(given.reduce((sum, edge) => round(sum + edge.contribution.number), 0));
      }
      const formula = formulas[node.id];
      if (formula === undefined || node.gradient === null) continue;
      const operands = operandsOf(formula, nodes);
      for (const edge of node.ins) {
        const expression = formula.local[edge.position];
        if (edge.contribution === null || expression === null || expression === undefined) continue;
        const local = rounding(nodes[edge.source].dtype)(
          Number(evaluate(expression, operands, node.value.number, functions)));
        edge.local = preview(local);
        edge.contribution = preview(rounding(nodes[edge.source].dtype)(times(node.gradient.number, local)));
      }
    }
  };
}

// A branch that was not taken gets 0, whatever comes.
function times(upstream, local) {
  return local === 0 ? 0 : upstream * local;
}

// ---------------------------------------------------------------- formulas as people write them

const SIGNS = {
  add: [" + ", 1], subtract: [` ${MINUS} `, 1], multiply: [" \u00b7 ", 2], divide: [" / ", 2], power: ["^", 4],
  less: [" < ", 0], less_equal: [" \u2264 ", 0], greater: [" > ", 0], greater_equal: [" \u2265 ", 0],
  equal: [" = ", 0], not_equal: [" \u2260 ", 0], logical_and: [" and ", -1], logical_or: [" or ", -2],
};

// An expression in infix notation, its operands called by name. Null where that would be too long to read.
function infix(expression, names, y) {
  const [text] = infixed(expression, names, y);
  return text.length <= 60 ? text : null;
}

function infixed(expression, names, y) {
  if (!Array.isArray(expression)) return [typeset(plainNumber(fromJson(expression))), expression < 0 ? 3 : 9];
  const [head, ...parts] = expression;
  if (head === "x") return [names[parts[0]], 9];
  if (head === "y") return [y, 9];
  const around = (part, least) => {
    const [text, strength] = infixed(part, names, y);
    return strength < least ? `(${text})` : text;
  };
  if (head === "negative") return [MINUS + around(parts[0], 3), 3];
  if (head === "where") {
    return [`${around(parts[1], 0)} if ${around(parts[0], 0)} else ${around(parts[2], 0)}`, -3];
  }
  if (head === "square") return [`${around(parts[0], 9)}\u00b2`, 4];
  if (head === "abs") return [`|${around(parts[0], -3)}|`, 9];
  if (head in SIGNS && parts.length === 2) {
    const [sign, strength] = SIGNS[head];
    return [around(parts[0], strength) + sign + around(parts[1], strength + 1), strength];
  }
  const called = { maximum: "max", minimum: "min", sqrt: "\u221a" }[head] ?? head;
  return [`${called}(${parts.map((part) => around(part, -3)).join(", ")})`, 9];
}

function plainNumber(x) {
  return Number.isInteger(x) ? String(x) : general(x, 4);
}
