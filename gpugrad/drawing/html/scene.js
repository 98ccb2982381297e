// From the graph, and which boxes are open, to a place for everything.
//
// An open box is laid out by itself and stands as one item in the box around it. A wire that crosses its border has a
// port there: one for each value that goes in or comes out, however many need it inside.

const SIZE = {
  gate: 38, slot: 15, labelled: 30, text: 12.5, small: 11, padding: 16, header: 30, port: 16, stub: 38, enter: 36,
  ports: 8, tallest: 260,
};

function makeScene(model, isOpen, measure) {
  const levels = new Map();
  const places = model.nodes.map((node) => placeOf(model, node, isOpen));
  const level = (key) => {
    if (!levels.has(key)) levels.set(key, { key, items: new Map(), links: new Map() });
    return levels.get(key);
  };
  level("root");
  for (const node of model.nodes) {
    const place = places[node.id];
    place.chain.forEach((group, i) => {
      putItem(level(i === 0 ? "root" : `g${place.chain[i - 1]}`), `g${group}`, { group, order: node.id });
      level(`g${group}`);
    });
    const inside = place.chain.length === 0 ? "root" : `g${place.chain[place.chain.length - 1]}`;
    putItem(level(inside), place.item, { group: place.group, node: place.group === null ? node.id : null, order: node.id });
  }
  const ways = new Map();
  for (const edge of model.edges) {
    const way = linkEdge(edge, places, level);
    if (way !== null) ways.set(edge.id, way);
  }
  const scene = { nodes: new Map(), boxes: new Map(), pieces: new Map(), wires: new Map(), places };
  const root = lay("root", levels, model, measure, isOpen);
  settleDown(root, 0, 0, scene, model);
  for (const [id, way] of ways) {
    scene.wires.set(id, way.flatMap(([key, link]) => levels.get(key).keys.get(link)));
  }
  scene.width = root.width;
  scene.height = root.height;
  return scene;
}

// In which open boxes a node lies, and what stands for it in the innermost: itself, or a closed box.
function placeOf(model, node, isOpen) {
  const around = [];
  for (let g = node.group; g !== null; g = model.groups[g].parent) around.unshift(g);
  const closed = around.findIndex((g) => !isOpen(g));
  if (closed < 0) return { chain: around, item: `n${node.id}`, group: null };
  return { chain: around.slice(0, closed), item: `g${around[closed]}`, group: around[closed] };
}

function putItem(level, key, item) {
  if (!level.items.has(key)) level.items.set(key, { key, pin: null, ins: new Map(), outs: new Map(), ...item });
  return level.items.get(key);
}

// The links of an edge, one in each level that it crosses. Null where both ends are in one closed box.
function linkEdge(edge, places, level) {
  const from = places[edge.source];
  const to = places[edge.target];
  if (from.item === to.item) return null;
  let common = 0;
  while (common < from.chain.length && common < to.chain.length && from.chain[common] === to.chain[common]) common++;
  const port = `s${edge.source}`;
  const steps = [];
  const name = (chain, i) => (i < 0 ? "root" : `g${chain[i]}`);
  const child = (place, i) => (i + 1 < place.chain.length ? `g${place.chain[i + 1]}` : place.item);
  for (let i = from.chain.length - 1; i >= common; i--) {
    const l = level(name(from.chain, i));
    putItem(l, `out ${port}`, { pin: "right", order: edge.source, source: edge.source });
    steps.push([l, child(from, i), port, `out ${port}`, ""]);
  }
  const into = (key) => (key.startsWith("n") ? `e${edge.id}` : port);
  const start = child(from, common - 1);
  const end = child(to, common - 1);
  steps.push([level(name(from.chain, common - 1)), start, port, end, into(end)]);
  for (let i = common; i < to.chain.length; i++) {
    const l = level(name(to.chain, i));
    putItem(l, `in ${port}`, { pin: "left", order: edge.source, source: edge.source });
    steps.push([l, `in ${port}`, "", child(to, i), into(child(to, i))]);
  }
  return steps.map(([l, a, aPort, b, bPort]) => {
    const key = `${a} ${aPort} ${b} ${bPort}`;
    if (!l.links.has(key)) {
      l.links.set(key, { key, from: a, fromPort: aPort, to: b, toPort: bPort, source: edge.source });
      l.items.get(a).outs.set(aPort, 0);
      l.items.get(b).ins.set(bPort, 0);
    }
    return [l.key, key];
  });
}

// ---------------------------------------------------------------- sizes

function lay(key, levels, model, measure, isOpen) {
  const level = levels.get(key);
  for (const item of level.items.values()) {
    if (item.pin !== null) sizePort(item);
    else if (item.node !== null && item.node !== undefined) sizeNode(item, model, measure);
    else if (isOpen(item.group)) sizeOpen(item, lay(item.key, levels, model, measure, isOpen));
    else sizeClosed(item, model, measure);
  }
  const found = layered(level.items, [...level.links.values()]);
  level.keys = new Map();
  for (const { link, pieces } of found.wires) {
    for (const piece of pieces) {
      piece.key = `${key} ${piece.key}`;
      piece.source = link.source;
      piece.from.leaving = (piece.from.leaving ?? new Set()).add(piece.key);
    }
    level.keys.set(link.key, pieces.map((piece) => piece.key));
  }
  const last = [...level.items.values()].some((item) => item.node === model.output) ? 22 : 0;
  return { ...found, width: found.width + last, level };
}

function sizePort(item) {
  item.width = 0;
  item.height = SIZE.port;
  for (const ports of [item.ins, item.outs]) for (const port of ports.keys()) ports.set(port, SIZE.port / 2);
}

function spread(ports, height, gap) {
  const keys = [...ports.keys()];
  keys.forEach((port, i) => ports.set(port, height / 2 + (i - (keys.length - 1) / 2) * gap));
}

function wireText(model, node, measure) {
  const value = measure(shown(node.value), SIZE.text, 600);
  return Math.max(model.editable ? SIZE.stub : 26, value, measure(shown(node.gradient), SIZE.text, 600)) + 14;
}

function sizeNode(item, model, measure) {
  const node = model.nodes[item.node];
  const labelled = node.ins.filter((edge) => edge.contribution !== null && branches(model, edge));
  const slots = Math.max(1, item.ins.size);
  const gap = labelled.length > 0 ? SIZE.labelled : SIZE.slot;
  item.enter = labelled.length === 0 ? 0 : Math.max(
    model.editable ? SIZE.enter : 0, ...labelled.map((edge) => measure(shown(edge.contribution), SIZE.small, 600))) + 14;
  item.stub = node.outs.length > 0 || node.id === model.output ? wireText(model, node, measure) : 0;
  const operation = node.kind === "operation";
  item.small = operation && measure(node.label, 16) > 26;
  const words = measure(operation ? node.label : node.called, item.small ? 13 : 16);
  item.round = operation && words <= 32 && slots <= 2;
  item.width = item.round ? SIZE.gate : Math.max(SIZE.gate, words + 22);
  item.height = Math.max(SIZE.gate, (slots - 1) * gap + (slots > 2 ? 24 : 0)) + (slots === 2 && gap > 20 ? 4 : 0);
  item.corner = operation ? (item.round ? item.height / 2 : 10) : 7;
  item.above = operation && node.called !== node.label ? 15 : 0;
  item.below = node.shape.length > 0 ? 12 : 0;
  if (!operation) item.align = "right";
  spread(item.ins, item.height, gap);
  item.inset = new Map([...item.ins].map(([port, dy]) => [port, inset(dy, item)]));
  for (const port of item.outs.keys()) item.outs.set(port, item.height / 2);
}

// How far from the left the border of a rounded box is at a height.
function inset(dy, item) {
  const edge = Math.min(dy, item.height - dy);
  if (edge >= item.corner) return 0;
  return item.corner - Math.sqrt(Math.max(0, item.corner ** 2 - (item.corner - edge) ** 2));
}

// Whether a value goes several ways, so that each way has its own gradient to show.
function branches(model, edge) {
  return arriving(model.nodes[edge.source]).length > 1;
}

// How often, unless the label says so itself.
function countWord(group) {
  return group.count > 1 && !group.label.includes(String(group.count)) ? `\u00d7${group.count}` : "";
}

function boxWords(model, group) {
  const operations = group.nodes.filter((id) => model.nodes[id].kind === "operation").length;
  return `${operations} operation${operations === 1 ? "" : "s"}`;
}

function sizeClosed(item, model, measure) {
  const group = model.groups[item.group];
  const outs = item.outs.size;
  const gap = Math.min(34, (SIZE.tallest - 40) / Math.max(1, outs));
  const inGap = Math.min(18, (SIZE.tallest - 40) / Math.max(1, item.ins.size));
  item.width = Math.max(110, measure(group.label, 14, 600) + measure(countWord(group), 13) + 46, measure(boxWords(model, group), 11) + 24);
  item.height = Math.max(56, (outs - 1) * gap + 36, (item.ins.size - 1) * inGap + 24);
  const holdsOutput = group.nodes.includes(model.output);
  const texts = [...item.outs.keys()].map((port) => wireText(model, model.nodes[Number(port.slice(1))], measure));
  if (holdsOutput) texts.push(wireText(model, model.nodes[model.output], measure));
  item.stub = outs + (holdsOutput ? 1 : 0) <= SIZE.ports ? Math.max(0, ...texts) : 12;
  if (holdsOutput) item.outs.set("output", 0);
  spread(item.outs, item.height, gap);
  spread(item.ins, item.height, inGap);
}

function sizeOpen(item, inner) {
  item.inner = inner;
  item.width = inner.width + 2 * SIZE.padding;
  item.height = inner.height + SIZE.header + SIZE.padding;
  for (const [ports, side] of [[item.ins, "in"], [item.outs, "out"]]) {
    for (const port of ports.keys()) {
      ports.set(port, SIZE.header + inner.level.items.get(`${side} ${port}`).y + SIZE.port / 2);
    }
  }
}

// ---------------------------------------------------------------- absolute places

function settleDown(found, dx, dy, scene, model) {
  for (const item of found.level.items.values()) {
    const place = { ...item, x: item.x + dx, y: item.y + dy, right: item.right + dx };
    if (item.pin !== null) continue;
    if (item.node !== null && item.node !== undefined) {
      scene.nodes.set(item.node, place);
    } else {
      scene.boxes.set(item.group, { ...place, open: item.inner !== undefined });
      if (item.inner !== undefined) {
        settleDown(item.inner, place.x + SIZE.padding, place.y + SIZE.header, scene, model);
      }
    }
  }
  for (const { pieces } of found.wires) {
    for (const piece of pieces) {
      if (scene.pieces.has(piece.key)) continue;
      const [a, b] = piece.bend;
      const [sx, sy] = piece.start;
      const [ex, ey] = piece.end;
      const words = piece.key.split(" ");
      const fromPort = words[1] === "in" ? SIZE.padding : 0;
      const toPort = words.includes("out") ? SIZE.padding : 0;
      const from = (x) => curve([x - fromPort + dx, sy + dy], [a + dx, b + dx], [ex + toPort + dx, ey + dy], piece.back);
      const stub = piece.from.stub > 0 ? Math.max(sx, a) : sx; // the stub is drawn with its node
      scene.pieces.set(piece.key, { key: piece.key, source: piece.source, path: from(piece.back ? sx : stub), whole: from(sx) });
    }
  }
}

function curve([sx, sy], [a, b], [ex, ey], back) {
  const round = (x) => Math.round(x * 10) / 10;
  const p = (...numbers) => numbers.map(round).join(" ");
  if (back) return `M${p(sx, sy)}C${p(sx + 90, sy - 70, ex - 90, ey - 70, ex, ey)}`;
  const half = (b - a) * 0.55;
  return `M${p(sx, sy)}H${p(a)}C${p(a + half, sy, b - half, ey, b, ey)}H${p(ex)}`;
}
