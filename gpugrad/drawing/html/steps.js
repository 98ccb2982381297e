// The steps: moments to stop at, given which boxes are folded. What happens inside a folded box is one step.

function makeStops(model, places) {
  const stops = [];
  let last = null;
  model.events.forEach((event, time) => {
    const group = event.node === null || event.phase === "seed" ? null : places[event.node].group;
    const unit = group === null ? null : `${event.phase === "sum" ? "backward" : event.phase} ${group}`;
    if (unit !== null && unit === last) stops[stops.length - 1].time = time;
    else stops.push({ first: time, time, group });
    last = unit;
  });
  return stops;
}

function stopAt(stops, time) {
  const found = stops.findIndex((stop) => stop.time >= time);
  return found < 0 ? stops.length - 1 : found;
}

// What to light at a stop.
function litAt(model, scene, stop) {
  const lit = { nodes: new Set(), boxes: new Set(), edges: [], direction: "forth" };
  const event = model.events[stop.time];
  if (event.phase === "start") return lit;
  if (stop.group !== null) {
    lit.boxes.add(stop.group);
    for (let time = stop.first; time <= stop.time; time++) {
      const { phase, node } = model.events[time];
      if (phase !== "sum") lit.edges.push(...model.nodes[node].ins.filter((edge) => moves(edge, phase)).map((e) => e.id));
      if (phase !== "forward") lit.direction = "back";
    }
    return lit;
  }
  const node = model.nodes[event.node];
  const box = scene.places[node.id].group;
  if (box === null) lit.nodes.add(node.id);
  else lit.boxes.add(box);
  if (event.phase !== "forward") lit.direction = "back";
  if (event.phase === "sum") lit.edges = arriving(node).map((edge) => edge.id);
  else if (event.phase !== "seed") lit.edges = node.ins.filter((edge) => moves(edge, event.phase)).map((e) => e.id);
  return lit;
}

function moves(edge, phase) {
  return phase === "forward" || edge.contribution !== null;
}

function stepWord(model, stops, index) {
  const event = model.events[stops[index].time];
  if (event.phase === "start") return "Start";
  const forward = event.phase === "forward";
  const split = stops.findIndex((stop) => stop.time > model.forwardEnd);
  const [from, to] = forward ? [0, (split < 0 ? stops.length : split) - 1] : [split - 1, stops.length - 1];
  return `${forward ? "Forward" : "Backward"} ${index - from} of ${to - from}`;
}
