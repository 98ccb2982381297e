// The scene as SVG, and what of it is shown at a moment: values that are known, gradients that have come back.

function drawScene(model, scene, layers) {
  for (const layer of Object.values(layers)) layer.replaceChildren();
  const drawn = { nodes: new Map(), boxes: new Map(), pieces: new Map(), labels: new Map(), ports: [], stubs: [] };
  for (const [id, box] of [...scene.boxes].sort((a, b) => a[0] - b[0])) {
    const element = box.open ? openBox(model, id, box) : closedBox(model, id, box, drawn);
    (box.open ? layers.boxes : layers.nodes).append(element);
    drawn.boxes.set(id, element);
  }
  for (const piece of scene.pieces.values()) {
    const path = svg("path", { class: "wire", d: piece.path });
    layers.wires.append(path);
    drawn.pieces.set(piece.key, path);
  }
  for (const [id, place] of scene.nodes) {
    const parts = drawNode(model, model.nodes[id], place, layers.wires, drawn.stubs);
    layers.nodes.append(parts.element);
    drawn.nodes.set(id, parts);
  }
  for (const [id] of scene.wires) {
    const edge = model.edges[id];
    const place = scene.nodes.get(edge.target);
    if (place === undefined || edge.contribution === null || !branches(model, edge)) continue;
    const label = svg("text", {
      class: "gradient part", x: place.x - 5, y: place.y + place.ins.get(`e${id}`) + 14,
      "text-anchor": "end", "data-edge": id,
    });
    layers.labels.append(label);
    drawn.labels.set(id, label);
  }
  return drawn;
}

function drawNode(model, node, place, wires, stubs) {
  const { x, y, width, height } = place;
  const middle = y + height / 2;
  const kind = node.parameter ? `${node.kind} parameter` : node.kind;
  const element = svg("g", {
    class: `node ${kind}${node.id === model.output ? " output" : ""}`, "data-node": node.id, role: "button", tabindex: -1,
  });
  element.append(svg("rect", {
    class: "halo", x: x - 5, y: y - 5, width: width + 10, height: height + 10, rx: place.corner + 5,
  }));
  element.append(svg("rect", { class: "shape", x, y, width, height, rx: place.corner }));
  if (node.parameter) {
    element.append(svg("rect", { class: "mark", x: x + 4, y: y + 7, width: 3, height: height - 14, rx: 1.5 }));
  }
  const label = svg("text", { class: place.small ? "label small" : "label", x: x + width / 2, y: middle, "text-anchor": "middle", dy: "0.35em" });
  if (node.kind === "operation") label.append(node.label);
  else svgName(label, node.called);
  element.append(label);
  if (node.kind === "operation" && node.called !== node.label) {
    const alias = svg("text", {
      class: `alias${node.name === null ? "" : " given"}`, x: x + width / 2, y: y - 9, "text-anchor": "middle",
    });
    svgName(alias, clipped(node.called));
    element.append(alias);
  }
  if (node.shape.length > 0) {
    element.append(svg("text", {
      class: "dims", x: x + width / 2, y: y + height + 13, "text-anchor": "middle",
    }, node.shape.join("\u00d7")));
  }
  const parts = { element, node, value: null, gradient: null };
  if (place.stub > 0) {
    const end = node.id === model.output ? x + width + place.stub : place.right;
    stubs.push({ node, stub: svg("path", { class: "wire stub", d: `M${x + width} ${middle}H${end}` }) });
    wires.append(stubs[stubs.length - 1].stub);
    if (node.id === model.output) {
      element.append(svg("path", { class: "tip", d: `M${end} ${middle - 4}L${end + 9} ${middle}L${end} ${middle + 4}Z` }));
    } else if (place.leaving?.size > 1) {
      element.append(svg("circle", { class: "joint", cx: end, cy: middle, r: 3 }));
    }
    parts.value = svg("text", { class: "value", x: x + width + 8, y: middle - 6 });
    parts.gradient = svg("text", { class: "gradient", x: x + width + 8, y: middle + 16 });
    element.append(parts.value, parts.gradient);
  }
  return parts;
}

// Above a gate there is not much room; the whole name is in the details.
function clipped(name) {
  return name.length > 18 ? `${name.slice(0, 17)}\u2026` : name;
}

function openBox(model, id, box) {
  const group = model.groups[id];
  const { x, y, width, height } = box;
  const element = svg("g", {
    class: "box open", "data-box": id, role: "button", tabindex: -1, "aria-expanded": "true",
    "aria-label": `${group.label}, open box. Enter folds it.`,
  });
  element.append(svg("rect", { class: "frame", x, y, width, height, rx: 12 }));
  element.append(svg("rect", { class: "head", x, y, width, height: 24, rx: 12 }));
  element.append(svg("path", { class: "turn", d: `M${x + 12} ${y + 9.5}l4.5 5.5l4.5 -5.5` }));
  element.append(svg("text", { class: "label", x: x + 27, y: y + 16.5 }, group.label));
  element.append(svg("text", {
    class: "count", x: x + 27 + measure(group.label, 13, 600) + 10, y: y + 16.5,
  }, countWord(group)));
  return element;
}

function closedBox(model, id, box, drawn) {
  const group = model.groups[id];
  const { x, y, width, height } = box;
  const element = svg("g", {
    class: "box closed", "data-box": id, role: "button", tabindex: -1, "aria-expanded": "false",
    "aria-label": `${group.label}, folded box of ${boxWords(model, group)}. Enter opens it.`,
  });
  if (group.count > 1) {
    for (const shift of [8, 4]) {
      element.append(svg("rect", { class: "shape under", x: x + shift, y: y - shift, width, height, rx: 10 }));
    }
  }
  element.append(svg("rect", { class: "halo", x: x - 5, y: y - 5, width: width + 10, height: height + 10, rx: 15 }));
  element.append(svg("rect", { class: "shape", x, y, width, height, rx: 10 }));
  const middle = y + height / 2;
  element.append(svg("path", { class: "turn", d: `M${x + 12} ${middle - 11.5}l5.5 4.5l-5.5 4.5` }));
  element.append(svg("text", { class: "label", x: x + 26, y: middle - 2 }, group.label));
  element.append(svg("text", {
    class: "count", x: x + width - 10, y: middle - 2, "text-anchor": "end",
  }, countWord(group)));
  element.append(svg("text", { class: "dims", x: x + 26, y: middle + 14 }, boxWords(model, group)));
  const ports = [...box.outs];
  for (const [port, dy] of ports) {
    const source = port === "output" ? model.output : Number(port.slice(1));
    const level = y + dy;
    const end = port === "output" ? x + width + box.stub : box.right;
    const stub = svg("path", { class: "wire stub", d: `M${x + width} ${level}H${end}` });
    element.append(stub);
    drawn.stubs.push({ node: model.nodes[source], stub });
    if (port === "output") {
      element.append(svg("path", { class: "tip", d: `M${end} ${level - 4}L${end + 9} ${level}L${end} ${level + 4}Z` }));
    }
    if (ports.length > SIZE.ports) continue;
    const value = svg("text", { class: "value", x: x + width + 8, y: level - 6 });
    const gradient = svg("text", { class: "gradient", x: x + width + 8, y: level + 16 });
    element.append(value, gradient);
    drawn.ports.push({ node: model.nodes[source], value, gradient });
  }
  return element;
}

// ---------------------------------------------------------------- moments

function showMoment(model, scene, drawn, time) {
  for (const { element, node, value, gradient } of drawn.nodes.values()) {
    element.classList.toggle("known", time >= node.valueTime);
    element.classList.toggle("graded", time >= node.gradientTime);
    element.setAttribute("aria-label", nodeLabel(model, node, time));
    if (value !== null) showTexts(node, value, gradient, time);
  }
  for (const { node, stub } of drawn.stubs) stub.classList.toggle("known", time >= node.valueTime);
  for (const { node, value, gradient } of drawn.ports) showTexts(node, value, gradient, time);
  for (const [id, label] of drawn.labels) {
    setText(label, time >= model.edges[id].time ? shown(model.edges[id].contribution) : "");
  }
  for (const piece of scene.pieces.values()) {
    drawn.pieces.get(piece.key).classList.toggle("known", time >= model.nodes[piece.source].valueTime);
  }
}

function showTexts(node, value, gradient, time) {
  setText(value, time >= node.valueTime ? shown(node.value) : "");
  setText(gradient, time >= node.gradientTime ? shown(node.gradient) : "");
}

function nodeLabel(model, node, time) {
  const words = [node.kind === "operation" ? `${node.op} ${node.called}` : `${node.called}, ${leafWord(node)}`];
  if (node.ins.length > 0) words.push(`of ${node.ins.map((edge) => model.nodes[edge.source].called).join(" and ")}`);
  if (node.shape.length > 0) words.push(`shape ${node.shape.join(" by ")}`);
  if (time >= node.valueTime && node.value !== null) words.push(`value ${shown(node.value)}`);
  if (time >= node.gradientTime && node.gradient !== null) words.push(`gradient ${shown(node.gradient)}`);
  return words.join(", ");
}

function leafWord(node) {
  return node.parameter ? "parameter" : node.kind === "constant" ? "constant" : "input";
}

// What is lit at a step: the nodes and boxes, and the wires along which something moves.
function lightUp(model, scene, drawn, layers, lit) {
  layers.flows.replaceChildren();
  const pieces = new Set(lit.edges.flatMap((id) => scene.wires.get(id) ?? []));
  for (const key of pieces) {
    layers.flows.append(svg("path", { class: `flow ${lit.direction}`, d: scene.pieces.get(key).whole }));
  }
  for (const { element, node } of drawn.nodes.values()) {
    element.classList.toggle("lit", lit.nodes.has(node.id));
    element.classList.toggle("back", lit.nodes.has(node.id) && lit.direction === "back");
  }
  for (const [id, element] of drawn.boxes) {
    const on = lit.boxes.has(id);
    element.classList.toggle("lit", on);
    element.classList.toggle("back", on && lit.direction === "back");
  }
}
