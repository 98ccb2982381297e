// Layered layout from left to right of one level: items with sizes, and links between their ports.
//
// 1. ranks: the longest path from the left; what has no input moves as far right as it can
// 2. links over several ranks run through points; all links from one port share theirs, as the branches of a wire do
// 3. the order within a rank: a few sweeps of barycentres, the one with the fewest crossings is kept
// 4. heights: least squares with the order kept (pool adjacent violators), swept back and forth
// 5. columns as wide as what is in them

const GAP = { column: 30, item: 16, point: 13, sweeps: 6, polish: 10 };

// items: Map from key to {key, width, height, pin: "left" | "right" | null, outs: Map(port -> dy), ins: Map(port -> dy),
// order}. links: [{from, fromPort, to, toPort}]. Sets x and y (top left) and rank of the items, and gives
// {width, height, wires: [{link, points}]}, points being [x, y] from port to port.
function layered(items, links) {
  const all = [...items.values()];
  for (const item of all) { item.next = []; item.last = []; }
  for (const link of links) {
    const from = items.get(link.from);
    const to = items.get(link.to);
    link.turned = false;
    from.next.push(link);
    to.last.push(link);
  }
  rankItems(all, items);
  const ranks = place(all);
  const chains = addPoints(ranks, links, items);
  orderRanks(ranks);
  setHeights(ranks);
  const columns = setColumns(ranks);
  const placed = ranks.flat();
  const top = Math.min(...placed.map((item) => item.y - (item.above ?? 0)));
  let bottom = 0;
  for (const rank of ranks) {
    for (const item of rank) {
      item.y -= top;
      bottom = Math.max(bottom, item.y + item.height + (item.below ?? 0));
    }
  }
  return { width: columns.width, height: bottom, wires: trace(chains, columns) };
}

function rankItems(all, items) {
  // Kahn's order; where boxes make a circle, the earliest one goes first and the links into it are turned.
  const open = new Map(all.map((item) => [item, item.last.length]));
  const inner = all.some((item) => item.pin === "left") ? 1 : 0;
  let ready = all.filter((item) => item.last.length === 0);
  for (const item of all) item.rank = item.pin === "left" ? 0 : inner;
  const done = new Set();
  while (done.size < all.length) {
    if (ready.length === 0) {
      const stuck = all.filter((item) => !done.has(item));
      const first = stuck.reduce((a, b) => (b.order < a.order ? b : a));
      for (const link of first.last) if (!done.has(items.get(link.from))) link.turned = true;
      ready = [first];
    }
    const item = ready.pop();
    if (done.has(item)) continue;
    done.add(item);
    for (const link of item.next) {
      if (link.turned) continue;
      const to = items.get(link.to);
      to.rank = Math.max(to.rank, item.rank + 1);
      open.set(to, open.get(to) - 1);
      if (open.get(to) === 0) ready.push(to);
    }
  }
  const forward = (item) => item.next.filter((link) => !link.turned);
  for (const item of all) { // sources next to who needs them first
    if (item.pin !== null || item.last.length > 0 || forward(item).length === 0) continue;
    item.rank = Math.min(...forward(item).map((link) => items.get(link.to).rank)) - 1;
  }
  const last = Math.max(...all.map((item) => item.rank));
  for (const item of all) if (item.pin === "right") item.rank = Math.max(last, inner);
}

function place(all) {
  const ranks = [];
  for (const item of all) {
    while (ranks.length <= item.rank) ranks.push([]);
    ranks[item.rank].push(item);
  }
  for (const rank of ranks) rank.sort((a, b) => a.order - b.order);
  return ranks;
}

// The points that long links run through. Gives, for each link, its way: [{item, port}, ...].
function addPoints(ranks, links, items) {
  const trunks = new Map();
  const joined = new Map();
  const chains = [];
  const join = (from, fromPort, to, toPort) => {
    const key = `${from.key} ${fromPort} ${to.key} ${toPort}`;
    if (joined.has(key)) return;
    joined.set(key, true);
    const joint = { from, to, up: from.outs.get(fromPort), down: to.ins.get(toPort) };
    from.after.push(joint);
    to.before.push(joint);
  };
  for (const rank of ranks) for (const item of rank) { item.after = []; item.before = []; }
  for (const link of [...links].sort((a, b) => items.get(a.from).rank - items.get(b.from).rank)) {
    const from = items.get(link.from);
    const to = items.get(link.to);
    if (link.turned || to.rank <= from.rank) {
      chains.push({ link, way: [[from, link.fromPort], [to, link.toPort]], back: true });
      continue;
    }
    const way = [[from, link.fromPort]];
    let before = from;
    let port = link.fromPort;
    for (let r = from.rank + 1; r < to.rank; r++) {
      const key = `${link.from} ${link.fromPort} ${r}`;
      let point = trunks.get(key);
      if (point === undefined) {
        point = {
          key: `point ${key}`, point: true, width: 0, height: 0, pin: null, rank: r, order: from.order,
          ins: new Map([["", 0]]), outs: new Map([["", 0]]), before: [], after: [],
        };
        trunks.set(key, point);
        ranks[r].push(point);
      }
      join(before, port, point, "");
      way.push([point, ""]);
      before = point;
      port = "";
    }
    join(before, port, to, link.toPort);
    way.push([to, link.toPort]);
    chains.push({ link, way, back: false });
  }
  return chains;
}

// ---------------------------------------------------------------- order

function orderRanks(ranks) {
  const number = () => ranks.forEach((rank) => rank.forEach((item, i) => { item.place = i; }));
  const at = (item, dy) => item.place + (item.height > 0 ? dy / item.height : 0.5);
  number();
  let best = ranks.map((rank) => [...rank]);
  let fewest = crossings(ranks);
  for (let sweep = 0; sweep < GAP.sweeps && fewest > 0; sweep++) {
    const rightwards = sweep % 2 === 0;
    for (let i = 0; i < ranks.length; i++) {
      const rank = ranks[rightwards ? i : ranks.length - 1 - i];
      for (const item of rank) {
        const joints = rightwards ? item.before : item.after;
        let sum = 0;
        for (const j of joints) sum += rightwards ? at(j.from, j.up) : at(j.to, j.down);
        item.weight = joints.length > 0 ? sum / joints.length : item.place;
      }
      rank.sort((a, b) => a.weight - b.weight || a.place - b.place);
      rank.forEach((item, k) => { item.place = k; });
    }
    const found = crossings(ranks);
    if (found < fewest) {
      fewest = found;
      best = ranks.map((rank) => [...rank]);
    }
  }
  best.forEach((rank, r) => { ranks[r] = rank; });
  number();
}

function crossings(ranks) {
  let count = 0;
  for (let r = 0; r + 1 < ranks.length; r++) {
    const ends = [];
    for (const item of ranks[r]) {
      const own = item.after.map((j) => [j.up, j.to.place + (j.to.height > 0 ? j.down / j.to.height : 0.5) * 0.9]);
      own.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      for (const [, end] of own) ends.push(end);
    }
    count += inversions(ends);
  }
  return count;
}

function inversions(values) {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const position = new Map(sorted.map((value, i) => [value, i + 1]));
  const tree = new Array(sorted.length + 1).fill(0);
  let count = 0;
  values.forEach((value, seen) => {
    let below = 0;
    for (let i = position.get(value); i > 0; i -= i & -i) below += tree[i];
    count += seen - below;
    for (let i = position.get(value); i < tree.length; i += i & -i) tree[i]++;
  });
  return count;
}

// ---------------------------------------------------------------- heights

function setHeights(ranks) {
  for (const rank of ranks) {
    let y = 0;
    rank.forEach((item, i) => {
      y = i === 0 ? 0 : y + distance(rank[i - 1], item);
      item.y = y;
    });
  }
  for (let sweep = 0; sweep < GAP.polish; sweep++) {
    const rightwards = sweep % 2 === 0;
    const both = sweep >= GAP.polish - 2;
    for (let i = 0; i < ranks.length; i++) settle(ranks[rightwards ? i : ranks.length - 1 - i], rightwards, both);
  }
}

function distance(above, below) {
  const gap = above.point && below.point ? GAP.point : GAP.item;
  return above.height + (above.below ?? 0) + gap + (below.above ?? 0);
}

// Each item as near as the others let it to where its links would be level.
function settle(rank, rightwards, both) {
  const blocks = [];
  let offset = 0;
  rank.forEach((item, i) => {
    if (i > 0) offset += distance(rank[i - 1], item);
    let sum = 0;
    let weight = 0;
    const pull = (joint, y) => {
      const w = joint.from.point && joint.to.point ? 8 : joint.from.point || joint.to.point ? 2 : 1;
      sum += w * y;
      weight += w;
    };
    if (rightwards || both) for (const j of item.before) pull(j, j.from.y + j.up - j.down);
    if (!rightwards || both) for (const j of item.after) pull(j, j.to.y + j.down - j.up);
    if (weight === 0) {
      weight = 0.01;
      sum = weight * item.y;
    }
    let block = { sum: sum - weight * offset, weight, count: 1 };
    while (blocks.length > 0 && mean(blocks[blocks.length - 1]) > mean(block)) {
      const above = blocks.pop();
      block = { sum: block.sum + above.sum, weight: block.weight + above.weight, count: block.count + above.count };
    }
    blocks.push(block);
  });
  let i = 0;
  offset = 0;
  for (const block of blocks) {
    for (let k = 0; k < block.count; k++, i++) {
      if (i > 0) offset += distance(rank[i - 1], rank[i]);
      rank[i].y = mean(block) + offset;
    }
  }
}

function mean(block) {
  return block.sum / block.weight;
}

// ---------------------------------------------------------------- columns

// An item is what enters (width of the labels of its inputs), its shape, and its stub (width of its own labels).
function setColumns(ranks) {
  const columns = [];
  let x = 0;
  ranks.forEach((rank, r) => {
    const real = rank.filter((item) => !item.point);
    const shape = Math.max(0, ...real.map((item) => item.width));
    const enter = Math.max(0, ...real.map((item) => item.enter ?? 0));
    const stub = Math.max(0, ...real.map((item) => item.stub ?? 0));
    const steep = Math.max(0, ...rank.flatMap((item) => item.before.map(
      (j) => Math.abs(j.from.y + j.up - j.to.y - j.down))));
    if (r > 0) x += GAP.column + Math.min(46, steep / 6);
    const column = { left: x, right: x + enter + shape + stub };
    for (const item of rank) {
      const room = shape - item.width;
      item.x = x + enter + (item.align === "right" ? room : item.align === "left" || room > 90 ? 0 : room / 2);
      item.left = column.left;
      item.right = column.right;
    }
    columns.push(column);
    x = column.right;
  });
  return { width: x, columns };
}

// The way of every link: from where its stub ends to where it enters, level through columns, curved between them.
function trace(chains) {
  return chains.map(({ link, way, back }) => {
    const pieces = [];
    for (let i = 0; i + 1 < way.length; i++) {
      const [from, fromPort] = way[i];
      const [to, toPort] = way[i + 1];
      pieces.push({
        key: `${from.key} ${fromPort} ${to.key} ${toPort}`, back, from,
        start: [from.point ? from.left : from.x + from.width, from.y + from.outs.get(fromPort)],
        bend: [from.right, to.left],
        end: [to.point ? to.left : to.x + (to.inset?.get(toPort) ?? 0), to.y + to.ins.get(toPort)],
      });
    }
    return { link, pieces };
  });
}
