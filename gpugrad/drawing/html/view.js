// Zoom and pan: wheel, pinch, drag, buttons; and following the step that is shown.

function makeView(canvas, viewport) {
  const view = { x: 0, y: 0, scale: 1, width: 0, height: 0, moved: false, own: false };
  let timer = 0;

  const put = () => viewport.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
  const size = () => canvas.getBoundingClientRect();

  function go(x, y, scale, smooth) {
    cancelAnimationFrame(timer);
    if (!smooth || still.matches) {
      Object.assign(view, { x, y, scale });
      put();
      return;
    }
    const from = { x: view.x, y: view.y, scale: view.scale };
    const begin = performance.now();
    const frame = (now) => {
      const part = Math.min(1, (now - begin) / 280);
      const eased = 1 - (1 - part) ** 3;
      view.x = from.x + (x - from.x) * eased;
      view.y = from.y + (y - from.y) * eased;
      view.scale = from.scale + (scale - from.scale) * eased;
      put();
      if (part < 1) timer = requestAnimationFrame(frame);
    };
    timer = requestAnimationFrame(frame);
  }

  const limit = (scale) => Math.min(4, Math.max(0.02, scale));

  view.zoom = (factor, px, py, smooth) => {
    const box = size();
    const cx = px ?? box.width / 2;
    const cy = py ?? box.height / 2;
    const scale = limit(view.scale * factor);
    const ratio = scale / view.scale;
    view.own = true;
    go(cx - (cx - view.x) * ratio, cy - (cy - view.y) * ratio, scale, smooth);
  };

  view.pan = (dx, dy) => go(view.x + dx, view.y + dy, view.scale, false);

  // The whole picture, but not smaller than ``least``.
  view.fit = (smooth, least = 0) => {
    const box = size();
    const margin = box.width < 600 ? 16 : 36;
    const scale = Math.min((box.width - 2 * margin) / view.width, (box.height - 2 * margin - 14) / view.height, 1.5);
    const used = limit(Math.max(scale, least));
    const x = view.width * used <= box.width - 2 * margin ? (box.width - view.width * used) / 2 : margin;
    const y = view.height * used <= box.height - 2 * margin ? (box.height - view.height * used) / 2 : margin + 8;
    view.own = false;
    go(x, y, used, smooth);
  };

  // From a whole that is too small to read to a part of it.
  view.near = (least) => {
    if (!view.own && view.scale < least) view.fit(false, least);
  };

  // Bring a rectangle of the picture into sight, if not all of the picture is.
  view.show = (left, top, right, bottom) => {
    const box = size();
    if (!view.own && view.width * view.scale <= box.width && view.height * view.scale <= box.height) return;
    const margin = Math.min(70, box.width * 0.12);
    const shift = (low, high, room, at) => {
      const a = low * view.scale + at;
      const b = high * view.scale + at;
      if (b - a > room - 2 * margin) return (room - (a + b)) / 2;
      return a < margin ? margin - a : b > room - margin ? room - margin - b : 0;
    };
    const dx = shift(left, right, box.width, view.x);
    const dy = shift(top, bottom, box.height, view.y);
    if (dx !== 0 || dy !== 0) go(view.x + dx, view.y + dy, view.scale, true);
  };

  canvas.addEventListener("wheel", (event) => {
    const framed = window.self !== window.top && !event.ctrlKey && !canvas.contains(document.activeElement);
    if (framed) return; // in a notebook the page around it scrolls
    event.preventDefault();
    const box = size();
    const lines = event.deltaMode === 1 ? 18 : 1;
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways && !event.ctrlKey) { // a wide picture scrolls
      view.own = true;
      view.pan(-(event.deltaX || event.deltaY) * lines, 0);
      return;
    }
    view.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX - box.left,
      event.clientY - box.top, false);
  }, { passive: false });

  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    view.moved = false;
  });
  window.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    if (!view.moved && Math.hypot(dx, dy) < 5 && fingers.size === 1) return;
    view.moved = true;
    view.own = true;
    cancelAnimationFrame(timer);
    if (fingers.size === 1) {
      view.x += dx;
      view.y += dy;
      put();
    } else {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const box = size();
      const spread = (p) => Math.max(10, Math.hypot(p[0] - other[0], p[1] - other[1]));
      view.x += dx / 2;
      view.y += dy / 2;
      view.zoom(spread([event.clientX, event.clientY]) / spread(before), (event.clientX + other[0]) / 2 - box.left,
        (event.clientY + other[1]) / 2 - box.top, false);
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  return view;
}
