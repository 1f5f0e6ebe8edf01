// The glass: events come from the desk, the model takes them, and the page is drawn, at most once a frame.

import { Controls } from "./controls.js";
import { Desk } from "./desk.js";
import { Lanes, STATES } from "./lanes.js";
import { byId, icon, make, plural, write } from "./marks.js";
import { Model } from "./model.js";
import { Travel } from "./travel.js";
import { inWords } from "./words.js";

// At full speed 20 pictures a second are fluid, and leave time for the rest; who wants less motion gets two.
const FRAME_MS = matchMedia("(prefers-reduced-motion: reduce)").matches ? 500 : 50;
const MOST_FRESH = 300; // events: a page that nobody looks at is not drawn, and must not grow
const SHOWN_HISTORY = 14;
const TELL_MS = 4000; // at full speed a screen reader hears a summary, and not too often

const model = new Model();
const lanes = new Lanes(model, { pick, step: (thread) => controls.step(thread) });
const travel = new Travel(byId("flight"), lanes);
const controls = new Controls(model, (command) => desk.tell(command), { pick, follow: () => (lanes.follows = true) });
let online = false;
let fresh = []; // events that are not drawn yet
let due = 0;
let drawnAt = 0;
let told = 0; // when the screen reader was told last, and of how many events
let toldNumber = 0;

const desk = new Desk(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`, {
  opened() {
    online = true;
    model.clear();
    fresh = [];
    draw();
  },
  events(list) {
    model.take(list);
    fresh = fresh.concat(list).slice(-MOST_FRESH);
    draw();
  },
  lost() {
    online = false;
    draw();
  },
});

function pick(number) {
  lanes.pick(number);
  byId("me").value = String(number);
  draw();
}

// Draw soon: once, however much changes until then.
function draw() {
  due ||= setTimeout(() => requestAnimationFrame(drawNow), model.mode.mode === "runs" ? Math.max(0, drawnAt + FRAME_MS - performance.now()) : 0);
}

function drawNow() {
  due = 0;
  drawnAt = performance.now();
  const events = fresh;
  fresh = [];
  lanes.draw();
  controls.draw(online);
  say(events);
  travel.show(events, model);
}

// Say in words what has happened: above the picture, in the list, and to a screen reader.
function say(events) {
  const last = model.history.slice(-SHOWN_HISTORY).reverse();
  const sentences = last.map((event) => [event.n ?? "", inWords(event, model)]);
  write(byId("now-text"), !online ? "The server is away. Start it with: python extras/glass/server.py" :
    sentences[0]?.[1] ?? "All is quiet. Whatever happens next is told here.");
  write(byId("now-number"), model.number ? `event ${model.number.toLocaleString("en")}` : "");
  const list = byId("history");
  while (list.children.length > sentences.length) list.lastChild.remove();
  sentences.forEach(([number, words], at) => {
    const item = list.children[at] ?? list.appendChild(make("li"));
    write(item, words);
    item.dataset.number = number;
  });
  const now = Date.now();
  if (model.mode.mode !== "runs") {
    const words = model.history.slice(-3).filter((event) => events.includes(event)).map((event) => inWords(event, model));
    if (words.length) byId("told").textContent = words.join(" ");
  } else if (events.length && now - told > TELL_MS) {
    const holder = model.lock.holder === null ? "the lock is free" : `${model.nameOf(model.lock.holder)} has the lock`;
    const since = plural(Math.max(model.number - toldNumber, 0), "event");
    byId("told").textContent = `${since} more; ${plural(model.living.length, "connection")}; ${holder}. ${sentences[0]?.[1] ?? ""}`;
    told = now;
    toldNumber = model.number;
  }
}

byId("legend-states").replaceChildren(...Object.entries(STATES).map(([state, words]) => {
  const item = make("li", "state", words);
  item.dataset.state = state;
  item.prepend(icon(state));
  return item;
}));
controls.draw(online);
