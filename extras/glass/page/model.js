// The model: what the server looks like inside, made of the events that it tells.  It knows no page.
//
// lane     one connection: its bytes, its line buffer, its request, its thread, its outbox
// holder   who has the lock: a lane's number, or the name of another thread, or null
// item     a piece that was put into an outbox, and that the kernel has not taken yet
// present  an event that is no news: it says what is so now, after events that we were not told
// isSure   whether the lane is known to be there still; isPartial: whether events of it were left out
// touched  "lane part" of what the newest events were about; lane 0 is the whole server

const KEEP_BYTES = 160; // of what has arrived: a strip of more would be wider than any screen
const KEEP_ITEMS = 40; // of an outbox: the picture has room for three
const KEEP_GONE = 2; // connections that have ended, so that one sees why
const KEEP_HISTORY = 200; // sentences
const NEWEST = 2; // events whose parts are marked: an eye cannot look at more places at once

// Which servers have no lock, and which no outboxes, and who has a postman: then the picture says so.
const WITHOUT_LOCK = new Set(["race"]);
const WITHOUT_OUTBOX = new Set(["race", "naive"]);
const WITH_POSTMAN = new Set(["rooms"]);

// What is known of the bytes and lines of a lane before any have come.
const nothingSeen = () => ({
  chunks: [], chunkCount: 0, bytesIn: 0, line: null, request: null, reply: null, table: null, items: [], bytesOut: 0, lastOut: "",
});

function newLane(number) {
  return {
    number, peer: "", name: "", thread: `lane ${number}`, state: "works", gone: "",
    isOurs: true, isSure: true, isPartial: false, ended: "", kept: { lines: 0, rest: "" }, queued: 0, unsent: 0, bound: null, boundLines: null, waiting: 0, kernel: undefined, drainer: false, cut: false, ...nothingSeen(),
  };
}

// Return a lane's number, or the name of a thread that serves no connection, or null.
function whose(thread) {
  const found = /^lane (\d+)$/.exec(String(thread ?? ""));
  return found ? Number(found[1]) : thread ?? null;
}

export class Model {
  constructor() {
    this.clear();
  }

  // Forget everything: a new connection to the desk tells it all again.
  clear() {
    this.lanes = new Map();
    this.lock = { holder: null, queue: [] };
    this.postman = { state: "", outboxes: [] };
    this.mode = { mode: "runs", rate: 0, server: "rooms" };
    this.scene = null;
    this.refused = "";
    this.isNew = true; // until the first list is taken: it tells what is so now
    this.number = 0;
    this.skipped = 0;
    this.biggestKernel = 0;
    this.history = []; // {n, lane, event}, the newest at the end
    this.touched = new Set();
    this.changed = new Set(); // lanes that must be drawn anew
  }

  get server() {
    return { lock: !WITHOUT_LOCK.has(this.mode.server), outbox: !WITHOUT_OUTBOX.has(this.mode.server), postman: WITH_POSTMAN.has(this.mode.server) };
  }

  get living() {
    return [...this.lanes.values()].filter((lane) => !lane.gone);
  }

  // Return what to call a lane, or a thread.
  nameOf(who) {
    if (typeof who !== "number") return who ? `the ${who}` : "nobody";
    return this.lanes.get(who)?.name || `lane ${who}`;
  }

  // Return the lane of an event, if it is there; who has gone does not come back by a late event.
  laneOf(event) {
    if (event.kind === "connected" && !this.lanes.has(event.lane)) this.lanes.set(event.lane, newLane(event.lane));
    const lane = this.lanes.get(event.lane) ?? null;
    if (lane) this.changed.add(lane.number);
    if (lane && event.present) lane.isSure = true;
    return lane;
  }

  // Take a list of events: what the last of them were about is marked as new.
  take(events) {
    if (!events.length) return;
    events.forEach((event, at) => {
      if (at <= Math.max(0, events.length - NEWEST)) this.touched.clear();
      this.apply(event);
    });
    this.isNew = false;
    // Of those whom the present does not name, the end was left out.
    for (const lane of this.lanes.values()) if (!lane.isSure) this.lanes.delete(lane.number);
  }

  apply(event) {
    const change = CHANGES[event.kind];
    if (!change) return; // of a newer server
    if (event.n) this.number = event.n;
    const lane = this.laneOf(event);
    if (!lane && OF_A_LANE.has(event.kind)) return;
    if (PARTS[event.kind] && !event.present) this.touched.add(`${OF_A_LANE.has(event.kind) ? lane.number : 0} ${PARTS[event.kind]}`);
    change.call(this, event, lane);
    if (event.present || (event.kind === "skipped" && this.isNew) || QUIET.has(event.kind) || QUIET.has(event.state) || event.state === "gone") return;
    this.history.push(event);
    if (this.history.length > KEEP_HISTORY) this.history.shift();
  }

  // Another server has begun: whoever was at the one before is of no interest.
  beginAnew() {
    for (const lane of this.lanes.values()) {
      if (lane.gone) this.lanes.delete(lane.number);
      else this.changed.add(lane.number);
    }
    this.lock = { holder: null, queue: [] };
    this.postman = { state: "", outboxes: [] };
  }

  // A connection that has ended stays for a while, but not for ever.
  forgetTheGone() {
    const gone = [...this.lanes.values()].filter((lane) => lane.gone);
    for (const lane of gone.slice(0, Math.max(0, gone.length - KEEP_GONE))) this.lanes.delete(lane.number);
  }
}

const OF_A_LANE = new Set(["connected", "named", "gone", "state", "chunk", "eof", "reset", "kept", "line", "request", "reply", "put", "sent", "drainer",
  "cut", "table"]);
// Which part of the picture an event is about.
const PARTS = {
  connected: "who", named: "who", gone: "who", state: "who", chunk: "bytes", eof: "bytes", reset: "bytes", kept: "buffer",
  line: "request", request: "request", reply: "request", lock: "lock", table: "lock", put: "outbox", sent: "kernel", drainer: "outbox", cut: "outbox", postman: "postman",
};

// Not about the server's inside; and states that other events tell as well.
const QUIET = new Set(["mode", "scene", "refused", "works", "wants", "holds"]);

const CHANGES = {
  connected(event, lane) {
    Object.assign(lane, { peer: event.peer ?? "", thread: event.name ?? lane.thread, isOurs: event.ours !== false });
    lane.isPartial ||= Boolean(event.present);
    this.forgetTheGone();
  },

  named(event, lane) {
    lane.name = event.name ?? "";
  },

  gone(event, lane) {
    lane.gone = event.why || "the connection has ended";
    lane.state = "gone";
    lane.drainer = false;
    this.forgetTheGone();
  },

  chunk(event, lane) {
    const data = event.data ?? "";
    if (data) {
      lane.chunkCount += 1;
      lane.bytesIn += data.length;
      lane.chunks.push({ number: lane.chunkCount, data });
      let kept = 0;
      const from = lane.chunks.findLastIndex((chunk) => (kept += chunk.data.length) > KEEP_BYTES);
      lane.chunks.splice(0, Math.min(Math.max(from, 0), lane.chunks.length - 1));
    }
    if (event.eof) lane.ended = "EOF";
    if (event.reset) lane.ended = "reset";
    if (lane.state === "reads") lane.state = "works";
  },

  eof(event, lane) {
    lane.ended = "EOF";
  },

  reset(event, lane) {
    lane.ended = "reset";
  },

  table(event, lane) {
    const name = event.name ?? "the name";
    lane.table = event.does === "takes" ? `takes ${name}` : event.does === "frees" ? `frees ${name}` : `looks: ${name} is ${event.found ? "there" : "free"}`;
  },

  kept(event, lane) {
    lane.kept = { lines: event.lines ?? 0, rest: event.rest ?? "" };
  },

  line(event, lane) {
    lane.line = event.too_long ? { tooLong: true, data: "" } : { tooLong: false, data: event.line ?? "" };
    lane.request = lane.reply = lane.table = null;
    const { lines, rest } = lane.kept; // as they were after the last chunk
    lane.kept = { lines: Math.max(0, lines - 1), rest: event.too_long && !lines ? "" : rest };
  },

  state(event, lane) {
    lane.state = event.state;
    if (event.state === "gone") lane.gone ||= "its thread has ended";
  },

  lock(event) {
    const before = [this.lock.holder, ...this.lock.queue];
    this.lock = { holder: whose(event.holder), queue: (event.queue ?? []).map(whose) };
    Object.assign(event, this.lock, { newcomer: this.lock.queue.find((who) => !before.includes(who)) });
    for (const who of before.concat(this.lock.holder, this.lock.queue)) if (this.lanes.has(who)) this.changed.add(who);
    const old = this.lanes.get(before[0]);
    if (old && before[0] !== this.lock.holder && old.state === "holds") old.state = "works";
    if (before[0] !== this.lock.holder && this.lanes.has(before[0])) this.touched.add(`${before[0]} lock`);
    if (this.lanes.has(this.lock.holder)) this.touched.add(`${this.lock.holder} lock`);
  },

  request(event, lane) {
    lane.request = event.error ? { error: event.error } : { verb: event.verb ?? "", params: event.params ?? [] };
    lane.reply = null;
  },

  reply(event, lane) {
    lane.reply = event.line ?? "";
  },

  put(event, lane) {
    lane.items.push({ data: event.data ?? "", by: whose(event.by) });
    if (lane.items.length > KEEP_ITEMS) lane.items.shift();
    lane.queued = event.queued ?? lane.queued + (event.data ?? "").length;
    lane.unsent = event.unsent ?? lane.unsent;
    lane.waiting = event.waiting ?? lane.waiting;
  },

  sent(event, lane) {
    lane.queued = event.queued ?? 0;
    lane.unsent = event.unsent ?? 0;
    lane.bound = event.bound ?? lane.bound;
    lane.boundLines = event.bound_lines ?? lane.boundLines;
    lane.waiting = event.waiting ?? lane.waiting;
    lane.kernel = event.kernel;
    lane.bytesOut += event.bytes ?? 0;
    this.biggestKernel = Math.max(this.biggestKernel, event.kernel ?? 0);
    // The oldest leave first; how much of them is left is told, so nothing can add up to a wrong sum.
    const left = lane.queued + lane.unsent;
    let sum = lane.items.reduce((total, item) => total + item.data.length, 0);
    while (lane.items.length && sum - lane.items[0].data.length >= left) {
      lane.lastOut = lane.items.shift().data;
      sum -= lane.lastOut.length;
    }
  },

  drainer(event, lane) {
    lane.drainer = Boolean(event.runs);
  },

  cut(event, lane) {
    lane.cut = true;
  },

  postman(event) {
    for (const number of this.postman.outboxes) if (this.lanes.has(number)) this.changed.add(number);
    this.postman = { state: event.state, outboxes: event.state === "walks" ? event.outboxes ?? [] : [] };
    for (const number of this.postman.outboxes) if (this.lanes.has(number)) this.changed.add(number);
  },

  mode(event) {
    if (event.server !== this.mode.server) this.beginAnew();
    this.mode = { mode: event.mode ?? this.mode.mode, rate: event.rate ?? 0, server: event.server ?? this.mode.server };
  },

  skipped(event) {
    this.skipped += event.count ?? 0;
    for (const lane of this.lanes.values()) {
      // What we knew of their bytes and lines may be old by now; what is so follows.
      Object.assign(lane, nothingSeen(), { isSure: Boolean(lane.gone), isPartial: true });
    }
  },

  scene(event) {
    this.scene = event.scene ? event : null;
  },

  refused(event) {
    this.refused = event.text ?? "";
  },
};
