// Small helpers around the document. Text from the graph only ever becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Names as in a textbook: w0 is an italic w with a lowered 0, W_x with a lowered x; words and paths stay as they are.
function nameParts(name) {
  const found = /^([A-Za-z\u0370-\u03ff])(?:_?(\d{1,3})|_([A-Za-z]{1,2}\d?))?$/.exec(name);
  return found === null ? null : [found[1], found[2] ?? found[3] ?? ""];
}

function htmlName(name) {
  const parts = nameParts(name);
  if (parts === null) return el("span", { class: "name path" }, name);
  return el("span", { class: "name" }, el("i", {}, parts[0]), parts[1] ? el("sub", {}, parts[1]) : null);
}

function svgName(text, name) {
  const parts = nameParts(name);
  if (parts === null) {
    text.replaceChildren(name);
    return;
  }
  text.replaceChildren();
  text.append(svg("tspan", { class: "letter" }, parts[0]));
  if (parts[1]) text.append(svg("tspan", { class: "sub", dy: "0.28em" }, parts[1]));
}

// Text with some characters standing for elements, by a Map from character to a function that makes one.
function rich(text, marks) {
  const parts = [];
  let plain = "";
  for (const character of text) {
    const make = marks.get(character);
    if (make === undefined) {
      plain += character;
      continue;
    }
    parts.push(plain, make());
    plain = "";
  }
  return [...parts, plain];
}

const measure = (() => {
  const context = document.createElement("canvas").getContext("2d");
  const known = new Map();
  return (text, size, weight = 400) => {
    if (text === "") return 0;
    const key = `${weight} ${size} ${text}`;
    if (!known.has(key)) {
      context.font = `${weight} ${size}px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif`;
      known.set(key, Math.ceil(context.measureText(text).width));
    }
    return known.get(key);
  };
})();

const still = window.matchMedia("(prefers-reduced-motion: reduce)");
