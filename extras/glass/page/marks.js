// Marks: how bytes, sizes and small pictures are drawn.  Bytes of users go in as text only.

const SVG = "http://www.w3.org/2000/svg";
const SHOWN = 64; // bytes of one text: more would not be read
const utf8 = new TextDecoder();

export const byId = (id) => document.getElementById(id);
export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

// Return a new element with this class and this text.
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// Write only what is new: 200 lanes are drawn many times a second.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Shapes on a field of 16 by 16: each state has one of its own, since colours alone are not enough.
const SHAPES = {
  reads: "M3 2h10M3 14h10M4 2c0 4 4 4 4 6s-4 2-4 6M12 2c0 4-4 4-4 6s4 2 4 6", // an hourglass
  works: "M5 3l8 5-8 5z",
  wants: "M4 14V7m0 0V4.500m3 3.500V2.500m3 5.500V3m3 5V5M4 8v3c0 2 2 3 4 3h2c2 0 3-2 3-4V7", // a raised hand
  holds: "M8 6a3 3 0 1 1-6 0 3 3 0 0 1 6 0M8 6h6v4M11.500 6v3", // a key
  sends: "M2 8h11M9 4l4 4-4 4",
  waits: "M8 2a6 6 0 1 1 0 12A6 6 0 1 1 8 2M8 4.500V8l3 2", // a clock
  gone: "M3 3l10 10M13 3L3 13",
  locked: "M3 7h10v7H3zM5 7V5a3 3 0 0 1 6 0v2",
  open: "M3 7h10v7H3zM5 7V4a3 3 0 0 1 5.500-1.500",
  letter: "M2 4h12v8H2zM2 4l6 5 6-5",
  drop: "M8 2c3 4 4 5.500 4 7.500a4 4 0 0 1-8 0C4 7.500 5 6 8 2z", // the drainer's
  bag: "M3 6h10l1 8H2zM5 6a3 3 0 0 1 6 0",
};

// Return a small picture; it says nothing to a screen reader, a word stands beside it.
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name] ?? "");
  svg.append(path);
  return svg;
}

// Return bytes (a character each) as people read them: UTF-8 where it is, without line ends.
export function asText(data, most = SHOWN) {
  const text = utf8.decode(Uint8Array.from(data, (char) => char.charCodeAt(0))).replace(/[\r\n]+$/, "");
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

// Return how much that is, in the words of people.
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1024 * 1000) return `${(bytes / 1024).toFixed(bytes < 10240 ? 1 : 0)} KiB`;
  return `${(bytes / 1048576).toFixed(1).replace(/\.0$/, "")} MiB`;
}

// Fill an element with bytes, a cell for each: \n and \r are marks, what is no ASCII is in hex.
export function drawBytes(element, data, most = SHOWN) {
  const parts = [];
  const shown = data.length > most ? data.slice(-most) : data;
  if (shown !== data) parts.push(make("span", "more", `… ${data.length - most} more, then`));
  for (const [run] of shown.matchAll(/[ -~]+|[^ -~]/g)) {
    if (run === "\n" || run === "\r") parts.push(make("span", "end", run === "\n" ? "\\n" : "\\r"));
    else if (run < " " || run > "~") parts.push(make("span", "hex", run.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")));
    else parts.push(...[...run].map((char) => make("span", char === " " ? "byte space" : "byte", char)));
  }
  element.replaceChildren(...parts);
}

// Say bytes in words: for who does not see the cells.
export const spell = (data) => asText(data).replace(/[\r\n]/g, " ⏎ ") + (data.endsWith("\n") ? " ⏎" : "");
