// Numbers as the page prints them: as gpugrad/drawing/preview.py does, so that recomputed ones look alike.

// The remainder with the sign of the divisor, as Python has it.
function modulo(a, b) {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

const MINUS = "\u2212";

// JSON has no NaN and no infinities: they come as words.
function fromJson(number) {
  return typeof number === "string" ? { nan: NaN, inf: Infinity, "-inf": -Infinity }[number] : number;
}

// As Python's format(x, ".{decimals}f"): of two equally near numbers the even one, where toFixed takes the larger.
function fixed(x, decimals) {
  const text = x.toFixed(decimals);
  const digits = Math.abs(x).toFixed(Math.min(100, decimals + 30)).split(".")[1].slice(decimals);
  if (!/^50*$/.test(digits) || (decimals + 30 > 100)) return text;
  const scale = 10 ** decimals;
  const below = Math.floor(Math.abs(x) * scale);
  const even = (below % 2 === 0 ? below : below + 1) / scale;
  return (x < 0 ? "-" : "") + even.toFixed(decimals);
}

// As Python's format(x, ".{precision}g").
function general(x, precision) {
  let [digits, power] = x.toExponential(precision - 1).split("e");
  const [long, same] = x.toExponential(precision + 30).split("e");
  const from = long.indexOf(".") + precision;
  if (/^50*$/.test(long.slice(from)) && /[02468]\.?$/.test(long.slice(0, from))) { // the even one, again
    [digits, power] = [long.slice(0, from).replace(/\.$/, ""), same];
  }
  const exponent = Number(power);
  if (exponent < -4 || exponent >= precision) {
    const mantissa = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const plain = fixed(x, Math.max(0, precision - 1 - exponent));
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
}

// In few letters, as they stand on a wire.
function short(x) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  const size = Math.abs(x);
  if (size !== 0 && size < 0.1) return general(x, 2);
  return size < 1e4 ? fixed(x, 2) : general(x, 3);
}

// With all digits that the dtype has.
function exact(x, dtype) {
  if (!Number.isFinite(x) || dtype !== "float32") return Number.isFinite(x) ? String(x) : short(x);
  for (let digits = 1; digits < 9; digits++) { // the shortest that is this number in float32
    const near = Number(x.toPrecision(digits));
    if (Math.fround(near) === x) return String(near);
  }
  return String(Number(x.toPrecision(9)));
}

// With a real minus sign, for people to read; zero has none.
function typeset(text) {
  return text.replace(/-0\.00(?!\d)/g, "0.00").replace(/(^|[^\w.)])-(?=[\d.i])/g, `$1${MINUS}`);
}

function shown(preview) {
  return preview === null ? "" : typeset(preview.text);
}

function preview(x) {
  return { text: short(x), number: x, shape: [], numbers: [x], low: x, high: x };
}
