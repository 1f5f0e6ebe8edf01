// The lanes: draws the model.  It changes nothing of it, and tells `on` which lane the user picks.
//
// row    a lane with all its parts, for some twelve connections
// tile   a small square for a connection, when there are more; whoever is picked has a row too

import { asText, byId, drawBytes, icon, make, plural, size, spell, write } from "./marks.js";

const MOST_ROWS = 12; // more rows than that fit no screen
const CALM_RATE = 2; // steps a second: what flashes more often than three times may harm.  Source: WCAG 2.2, 2.3.1
const ITEMS = 3; // of an outbox that are drawn

export const STATES = {
  reads: "waits in recv()",
  works: "works",
  wants: "wants the lock",
  holds: "has the lock",
  sends: "is inside send()",
  waits: "waits for its reader",
  gone: "gone",
};
const PARTS = [["who", "Connection"], ["bytes", "Bytes arrive"], ["buffer", "Line buffer"], ["request", "Request"],
  ["lock", "Lock"], ["outbox", "Outbox"], ["kernel", "Kernel"]];
const ORDINALS = ["next", "2nd", "3rd"];

// The same for attributes, and for data-…, by which the style sheet knows what to draw.
function writeTo(element, attribute, value) {
  if (element.getAttribute(attribute) !== String(value)) element.setAttribute(attribute, value);
}

function set(element, key, value) {
  if (element.dataset[key] !== value) element.dataset[key] = value;
}

// Return the state as people see it: a lane in the lock's queue wants it, whatever else was told.
function stateOf(lane, model) {
  if (lane.gone) return "gone";
  if (model.lock.holder === lane.number) return lane.state === "sends" ? "sends" : "holds";
  return model.lock.queue.includes(lane.number) ? "wants" : lane.state;
}

export class Lanes {
  constructor(model, on) {
    this.model = model;
    this.on = on; // {pick(number), step(thread)}
    this.picked = null;
    this.rows = new Map();
    this.tiles = new Map();
    byId("step-postman").addEventListener("click", () => on.step("postman"));
    this.touched = [];
    this.follows = false; // scroll to where something happens
  }

  // Return the element where a part of a lane is drawn now; lane 0 is the whole server.
  where(number, part) {
    if (number === 0) return part === "lock" ? byId("lock-bar") : part === "postman" ? byId("postman") : null;
    return this.rows.get(number)?.parts[part] ?? this.tiles.get(number) ?? null;
  }

  draw() {
    const { model } = this;
    const lanes = [...model.lanes.values()];
    const crowded = model.living.length > MOST_ROWS;
    if (this.picked !== null && !model.lanes.has(this.picked)) this.picked = null;
    const first = model.living[0]?.number;
    const shown = crowded ? lanes.filter((lane) => lane.number === (this.picked ?? first) || lane.number === model.lock.holder).slice(0, 2) : lanes;
    set(byId("stage"), "view", crowded ? "grid" : "lanes");
    set(byId("stage"), "mode", model.mode.mode);
    set(byId("stage"), "calm", String(model.mode.mode === "paused" || (model.mode.rate > 0 && model.mode.rate <= CALM_RATE)));
    byId("empty").hidden = lanes.length > 0;
    byId("heads").hidden = byId("lanes").hidden = lanes.length === 0;
    byId("grid").hidden = byId("grid-help").hidden = !crowded;
    this.keep(this.rows, shown, byId("lanes"), () => this.newRow(), (row, lane) => this.drawRow(row, lane));
    this.keep(this.tiles, crowded ? lanes : [], byId("grid"), () => this.newTile(), (tile, lane) => this.drawTile(tile, lane));
    if (crowded) write(byId("grid-help"), `${plural(lanes.length, "connection")}: press one to see its lane. The bar in a square is its outbox.`);
    this.drawLock();
    this.drawPostman();
    this.markTouched();
    model.changed.clear();
  }

  // Make the elements in `list` those of these lanes, in this order; draw those that have changed.
  keep(elements, lanes, list, create, draw) {
    const wanted = new Set(lanes.map((lane) => lane.number));
    for (const [number, element] of elements) {
      if (wanted.has(number)) continue;
      element.remove();
      elements.delete(number);
    }
    lanes.forEach((lane, at) => {
      let element = elements.get(lane.number);
      const isNew = !element;
      if (isNew) {
        element = create();
        element.dataset.lane = lane.number;
        elements.set(lane.number, element);
      }
      if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
      if (isNew || this.model.changed.has(lane.number)) draw(element, lane);
    });
  }

  newRow() {
    const row = make("li", "lane");
    row.parts = {};
    for (const [part, title] of PARTS) {
      const cell = make("div", `cell ${part}`);
      cell.append(make("span", "cell-title", title));
      const body = make("div", "body");
      cell.append(body);
      cell.body = body;
      row.parts[part] = cell;
      row.append(cell);
    }
    const { who, bytes, buffer, outbox, kernel, lock } = row.parts;
    row.pick = make("button", "pick");
    row.pick.type = "button";
    row.pick.append(make("span", "number"), make("bdi", "name"));
    row.pick.addEventListener("click", () => this.on.pick(Number(row.dataset.lane)));
    row.state = make("span", "state");
    row.peer = make("span", "peer quiet");
    row.step = make("button", "step", "step");
    row.step.type = "button";
    row.step.title = "Let only this thread do one step";
    row.step.addEventListener("click", () => this.on.step(`lane ${row.dataset.lane}`));
    who.body.append(row.pick, row.state, row.step, row.peer);
    row.strip = make("div", "strip");
    row.strip.setAttribute("role", "img");
    row.count = make("span", "quiet count");
    bytes.body.append(row.strip, row.count);
    row.waiting = make("span", "waiting");
    row.rest = make("div", "rest cells");
    row.rest.setAttribute("role", "img");
    row.bufferText = make("span", "quiet");
    buffer.body.append(row.waiting, row.rest, row.bufferText);
    row.lockShape = make("span", "shape");
    row.lockText = make("span", "lock-word");
    lock.body.append(row.lockShape, row.lockText);
    row.gauge = this.newGauge("outbox");
    row.items = make("ol", "items");
    row.flags = make("p", "flags");
    outbox.body.append(row.gauge, row.items, row.flags);
    row.kernelGauge = this.newGauge("kernel");
    row.lastOut = make("p", "last-out quiet");
    kernel.body.append(row.kernelGauge, row.lastOut);
    return row;
  }

  newGauge(what) {
    const gauge = make("div", "gauge");
    gauge.setAttribute("role", "meter");
    gauge.setAttribute("aria-valuemin", "0");
    gauge.bar = make("div", "bar");
    gauge.first = make("span", what === "outbox" ? "fill unsent" : "fill kernel-fill");
    gauge.second = make("span", "fill queued");
    gauge.bar.append(gauge.first, gauge.second);
    gauge.label = make("span", "gauge-text");
    gauge.append(gauge.bar, gauge.label);
    gauge.setAttribute("aria-label", what);
    return gauge;
  }

  // Fill a gauge: two parts of a bound, in bytes.
  fillGauge(gauge, first, second, bound, text) {
    const share = (bytes) => `${bytes ? Math.max(2, Math.min(100, (100 * bytes) / (bound || 1))) : 0}%`;
    gauge.first.style.width = share(first);
    gauge.second.style.width = share(second);
    writeTo(gauge, "aria-valuemax", bound || first + second || 1);
    writeTo(gauge, "aria-valuenow", first + second);
    writeTo(gauge, "aria-valuetext", text);
    write(gauge.label, text);
  }

  drawRow(row, lane) {
    const { model } = this;
    const state = stateOf(lane, model);
    const name = lane.name || "no name yet";
    set(row, "state", state);
    set(row, "mine", String(this.picked === lane.number));
    write(row.pick.children[0], String(lane.number));
    write(row.pick.children[1], name);
    writeTo(row.pick, "aria-pressed", this.picked === lane.number);
    writeTo(row.pick, "aria-label", `Lane ${lane.number}, ${name}: be this user`);
    this.drawState(row.state, state, lane);
    writeTo(row.step, "aria-label", `Let ${lane.name || `lane ${lane.number}`}'s thread do one step`);
    write(row.peer, lane.gone ? lane.gone : lane.peer);
    this.drawStrip(row, lane);
    this.drawBuffer(row, lane);
    this.drawRequest(row.parts.request.body, lane);
    this.drawLockCell(row, lane, state);
    this.drawOutbox(row, lane);
    this.drawKernel(row, lane);
  }

  drawState(element, state, lane) {
    if (element.dataset.state === state && element.firstChild) return;
    element.dataset.state = state;
    element.replaceChildren(icon(state), make("span", "unseen", `its thread, ${lane.thread}, `), STATES[state] ?? state);
  }

  drawStrip(row, lane) {
    const key = `${lane.chunkCount} ${lane.bytesIn} ${lane.ended} ${lane.isPartial}`;
    if (row.strip.dataset.key === key) return;
    row.strip.dataset.key = key;
    const parts = lane.chunks.slice(-6).map((chunk) => {
      const box = make("span", "chunk");
      const cells = make("span", "cells");
      drawBytes(cells, chunk.data);
      box.append(cells, make("span", "cut", `chunk ${chunk.number} · ${size(chunk.data.length)}`));
      return box;
    });
    if (lane.ended) parts.push(make("span", `chunk ended ${lane.ended}`, lane.ended === "EOF" ? "EOF" : "RST"));
    row.strip.replaceChildren(...parts.reverse()); // drawn from the right: the newest is never cut off
    const newest = lane.chunks.at(-1);
    writeTo(row.strip, "aria-label", newest ?
      `newest chunk, ${plural(newest.data.length, "byte")}: ${spell(newest.data)}${lane.ended ? `, then ${lane.ended}` : ""}` : lane.ended || "nothing yet");
    const count = lane.chunkCount ? `${size(lane.bytesIn)} in ${plural(lane.chunkCount, "chunk")}` : "";
    write(row.count, lane.isPartial ? (count ? `${count} lately` : "nothing new") : count || "nothing yet");
  }

  drawBuffer(row, lane) {
    const { lines, rest } = lane.kept;
    write(row.waiting, lines ? `${plural(lines, "whole line")} ${lines === 1 ? "waits" : "wait"}` : "");
    row.waiting.hidden = !lines;
    if (row.rest.dataset.key !== rest) {
      row.rest.dataset.key = rest;
      drawBytes(row.rest, rest, 24);
      writeTo(row.rest, "aria-label", rest ? `kept: ${spell(rest)}` : "nothing kept");
    }
    row.rest.hidden = !rest;
    write(row.bufferText, rest ? `keeps ${size(rest.length)}, no \\n yet` : lines ? "" : "empty");
  }

  drawRequest(body, lane) {
    const parts = [];
    if (lane.line) parts.push(make("p", "line", lane.line.tooLong ? "line too long: thrown away" : asText(lane.line.data, 40) || "(an empty line)"));
    if (lane.request?.error) parts.push(make("p", "error", `ERR ${lane.request.error}`));
    else if (lane.request) {
      const request = make("p", "parsed");
      request.append(make("b", "verb", lane.request.verb));
      for (const param of lane.request.params) request.append(make("span", "param", String(param).slice(0, 40)));
      parts.push(request);
    }
    if (lane.reply !== null) {
      const reply = make("p", "reply", asText(lane.reply, 40));
      reply.prepend(make("span", "unseen", "answer: "));
      parts.push(reply);
    }
    body.replaceChildren(...(parts.length ? parts : [make("span", "quiet", "none yet")]));
  }

  drawLockCell(row, lane, state) {
    const { lock, server } = this.model;
    const at = lock.queue.indexOf(lane.number);
    const holds = lock.holder === lane.number;
    const role = holds ? "holder" : at >= 0 ? "queue" : "none";
    set(row.parts.lock, "role", role);
    if (row.lockShape.dataset.role !== role) {
      row.lockShape.dataset.role = role;
      row.lockShape.replaceChildren(...(role === "none" ? [] : [icon(holds ? "holds" : "wants")]));
    }
    const stuck = holds && state === "sends";
    write(row.lockText, stuck ? "has it, and is stuck in send()" : lane.table && (holds || !server.lock) ? lane.table : !server.lock ? "no lock here" : holds ? "has it" :
      at >= 0 ? (ORDINALS[at] ?? `${at + 1}th`) : "");
  }

  drawOutbox(row, lane) {
    const { model } = this;
    const total = lane.queued + lane.unsent;
    row.gauge.hidden = row.items.hidden = !model.server.outbox;
    const text = lane.boundLines ? `${lane.waiting} of ${plural(lane.boundLines, "line")}` : lane.bound ? `${total ? size(total) : "empty,"} of ${size(lane.bound)}` : total ? size(total) : "empty";
    set(row.gauge, "full", String(lane.boundLines ? lane.waiting > lane.boundLines * 0.75 : Boolean(lane.bound) && total > lane.bound * 0.75));
    if (lane.boundLines) this.fillGauge(row.gauge, 0, lane.waiting, lane.boundLines, text);
    else this.fillGauge(row.gauge, lane.unsent, lane.queued, lane.bound ?? Math.max(total, 1024), text);
    const items = lane.items.slice(-ITEMS).map((item) => {
      const own = item.by === null || item.by === lane.number;
      const line = make("li", own ? "item own" : "item");
      line.append(icon(own ? "sends" : "letter"), make("span", "item-text", (own ? "" : `${model.nameOf(item.by)}: `) + asText(item.data, 40)));
      return line;
    });
    if (lane.items.length > ITEMS) items.unshift(make("li", "quiet", `${lane.items.length - ITEMS} more before`));
    row.items.replaceChildren(...items);
    const flags = [];
    const flag = (shape, className, words) => {
      const element = make("span", `flag ${className}`, words);
      element.prepend(icon(shape));
      flags.push(element);
    };
    if (lane.drainer) flag("drop", "drainer", model.mode.server === "small" ? "a writer thread sends" : "a drainer waits for this peer");
    if (lane.cut) flag("gone", "cut-off", "cut off: too slow");
    if (model.postman.outboxes.includes(lane.number)) flag("bag", "on-round", "on the postman's round");
    if (!model.server.outbox) flags.push(make("span", "quiet", "none: whoever has a line for this peer waits in send()"));
    row.flags.replaceChildren(...flags);
  }

  drawKernel(row, lane) {
    const most = Math.max(this.model.biggestKernel, 65536);
    row.kernelGauge.hidden = lane.kernel == null;
    this.fillGauge(row.kernelGauge, lane.kernel ?? 0, 0, most, size(lane.kernel ?? 0));
    const told = lane.kernel === null ? "this system does not tell" : lane.bytesOut ? `${size(lane.bytesOut)} sent ${lane.isPartial ? "lately" : "so far"}` : lane.isPartial ? "nothing new" : "nothing sent";
    write(row.lastOut, lane.lastOut ? `${told}; last ${asText(lane.lastOut, 24)}` : told);
  }

  newTile() {
    const item = make("li");
    const tile = make("button", "tile");
    tile.type = "button";
    tile.append(make("bdi", "tile-name"), make("span", "tile-state"), make("span", "tile-bar"));
    tile.children[2].append(make("span"));
    tile.addEventListener("click", () => this.on.pick(Number(item.dataset.lane)));
    item.append(tile);
    item.tile = tile;
    return item;
  }

  drawTile(item, lane) {
    const state = stateOf(lane, this.model);
    const { tile } = item;
    const name = lane.name || String(lane.number);
    set(item, "state", state);
    write(tile.children[0], name);
    if (tile.children[1].dataset.state !== state) {
      tile.children[1].dataset.state = state;
      tile.children[1].replaceChildren(icon(lane.cut ? "gone" : state));
    }
    const total = lane.queued + lane.unsent;
    const share = lane.bound ? Math.min(1, total / lane.bound) : 0;
    tile.children[2].firstChild.style.width = `${total ? Math.max(4, 100 * share) : 0}%`;
    writeTo(tile, "aria-pressed", this.picked === lane.number);
    writeTo(tile, "aria-label", `Lane ${lane.number}, ${name}, ${STATES[state] ?? state}, ${size(total)} in the outbox`);
  }

  drawLock() {
    const { lock, server } = this.model;
    const bar = byId("lock-bar");
    const held = lock.holder !== null;
    bar.hidden = false;
    if (bar.dataset.held !== String(held) || !byId("lock-shape").firstChild) byId("lock-shape").replaceChildren(icon(held ? "locked" : "open"));
    set(bar, "held", String(held));
    write(byId("lock-text"), !server.lock ? "This server has no lock" : held ? `${this.model.nameOf(lock.holder)} has the lock` : "The lock is free");
    const names = lock.queue.slice(0, 8).map((who, at) => `${ORDINALS[at] ?? `${at + 1}th`}: ${this.model.nameOf(who)}`);
    if (lock.queue.length > 8) names.push(`and ${lock.queue.length - 8} more`);
    const list = byId("lock-queue");
    if (list.dataset.key === names.join("\n")) return;
    list.dataset.key = names.join("\n");
    list.replaceChildren(...names.map((name) => make("li", "", name)));
  }

  drawPostman() {
    const { postman } = this.model;
    const element = byId("postman");
    element.hidden = byId("step-postman").hidden = !postman.state || !this.model.server.postman;
    const words = postman.state === "walks" ? `the postman walks to ${plural(postman.outboxes.length, "outbox", "outboxes")}` : "the postman sleeps";
    set(element, "state", postman.state);
    if (element.textContent === words) return;
    element.textContent = words;
    element.prepend(icon("bag"));
  }

  // Put a frame around what the newest events were about: so the eye finds it in a still picture.
  markTouched() {
    for (const element of this.touched) element.classList.remove("touched");
    this.touched = [];
    for (const key of this.model.touched) {
      const [number, part] = key.split(" ");
      const element = this.where(Number(number), part);
      if (!element) continue;
      element.classList.add("touched");
      this.touched.push(element);
      if (this.follows && Number(number)) element.scrollIntoView({ block: "nearest" }); // who steps wants to see it
    }
  }

  // Let another lane be the user's: both must be drawn anew.
  pick(number) {
    for (const one of [this.picked, number]) if (one !== null) this.model.changed.add(one);
    this.picked = number;
  }
}
