// Words: one sentence for each event, for the line above the picture and for screen readers.

import { asText, plural, size } from "./marks.js";

const quoted = (data) => `“${asText(data ?? "", 40)}”`;

const THREAD = {
  reads: "waits in recv() until bytes come",
  works: "works",
  wants: "wants the lock",
  holds: "has the lock now",
  sends: "is inside a send that blocks until the peer reads",
  waits: "waits until its reader has read more",
  gone: "has ended",
};

function chunkInWords(who, event) {
  if (event.dropped) return `${who}: ${plural(event.data.length, "byte")} more come after the end, and are thrown away.`;
  const { data } = event;
  const ends = data.split("\n").length - 1;
  const rest = data.length - data.lastIndexOf("\n") - 1;
  const holds = ends === 0 ? "no \\n: the line is not complete" :
    ends === 1 && !rest ? "one whole line's end" :
    `${plural(ends, "line end")}${rest ? `, then ${plural(rest, "byte")} of the next line` : ""}`;
  return `${who}: recv() returned a chunk of ${plural(data.length, "byte")}, with ${holds}.`;
}

function keptInWords(who, { lines, rest }) {
  if (!lines && !rest) return `${who}: the line buffer is empty.`;
  const waits = lines ? `${plural(lines, "whole line")} ${lines === 1 ? "waits" : "wait"}` : "";
  const keeps = rest ? `${plural(rest.length, "byte")} ${rest.length === 1 ? "is" : "are"} kept until the \\n comes` : "";
  return `${who}: in the line buffer ${[waits, keeps].filter(Boolean).join(", and ")}.`;
}

// Return who does something for a lane: its own thread, another lane's, or one that serves all.
function doer(event, model) {
  const number = Number(/^lane (\d+)$/.exec(event.thread ?? "")?.[1]);
  if (number) return number === event.lane ? "Its own thread" : `${model.nameOf(number)}'s thread`;
  if (/^drainer/.test(event.thread ?? "")) return model.mode.server === "small" ? "The writer thread" : "The drainer";
  return event.thread === "postman" ? "The postman" : "The server";
}

function sentInWords(who, { bytes, queued, unsent, kernel, dropped }, does) {
  if (dropped) return `${size(dropped)} for ${who} are thrown away: there is nobody to read them.`;
  const left = (queued ?? 0) + (unsent ?? 0);
  const has = !kernel ? "" : ` It holds ${size(kernel)} that the peer has not taken.`;
  if (!bytes) return left ? `The kernel takes nothing for ${who}: its send buffer is full. ${size(left)} wait in the outbox.` : `${who}'s outbox is empty.`;
  return `${does} gives the kernel ${plural(bytes, "byte")} for ${who}; ${left ? `${size(left)} wait in the outbox.` : "the outbox is empty."}${has}`;
}

// Return what has happened, in one sentence or two.
export function inWords(event, model) {
  const who = typeof event.lane === "number" ? model.nameOf(event.lane) : "";
  switch (event.kind) {
    case "connected": return `Lane ${event.lane}: a new connection${event.peer ? ` from ${event.peer}` : ""}. A thread of its own serves it.`;
    case "named": return `Lane ${event.lane} is ${event.name} from now on.`;
    case "gone": return `${who} is gone${event.why ? `: ${event.why}` : ""}.`;
    case "chunk": return chunkInWords(who, event);
    case "eof": return `${who}: recv() returned nothing. That is EOF: this peer sends no more.`;
    case "reset": return `${who}: the connection was reset (RST). What was under way is lost.`;
    case "table": {
      const name = event.name ? `“${event.name}”` : "the name";
      if (event.does === "takes") return `${who}'s thread writes ${name} into the table of names: it is taken now.`;
      if (event.does === "frees") return `${who}'s thread takes ${name} out of the table of names: it is free now.`;
      return `${who}'s thread looks for ${name} in the table of names: it is ${event.found ? "there" : "not there, so it is free"}.`;
    }
    case "kept": return keptInWords(who, event);
    case "line": return event.too_long ? `${who}: a line that is too long; it is thrown away.` : `${who}: a whole line leaves the buffer: ${quoted(event.line)}.`;
    case "state": return `${who}'s thread ${THREAD[event.state] ?? event.state}.`;
    case "lock": {
      const queue = event.queue.map((one) => model.nameOf(one));
      const some = queue.length > 3 ? [...queue.slice(0, 3), `${queue.length - 3} more`] : queue;
      if (event.newcomer !== undefined) {
        const has = event.holder == null ? "it is free" : `${model.nameOf(event.holder)} has it`;
        return `${model.nameOf(event.newcomer)}'s thread wants the lock; ${has}.`;
      }
      const waiting = queue.length ? ` ${some.join(", ")} ${queue.length === 1 ? "waits" : "wait"} for it.` : "";
      return event.holder == null ? `The lock is free.${waiting}` : `${model.nameOf(event.holder)} has the lock.${waiting}`;
    }
    case "request": return event.error ? `${who}'s line is refused: ${event.error}.` :
      `${who} asks for ${event.verb}${event.params?.length ? ` with ${event.params.map((one) => `“${String(one).slice(0, 40)}”`).join(" and ")}` : ""}.`;
    case "reply": return `The answer for ${who}: ${quoted(event.line)}.`;
    case "put": return event.by === event.lane || event.by == null ? `${quoted(event.data)} is put into ${who}'s outbox.` :
      `${model.nameOf(event.by)}'s thread puts ${quoted(event.data)} into ${who}'s outbox, and does not wait for ${who}.`;
    case "sent": return sentInWords(who, event, doer(event, model));
    case "drainer": return model.mode.server === "small" ? `${who}'s writer thread ${event.runs ? "begins: it sends what is in the outbox" : "ends"}.` : event.runs ? `${who} reads too slowly: a drainer, a second thread, waits for ${who} so that nobody else has to.` :
      `${who}'s drainer has sent all, and ends.`;
    case "cut": return `${who} is cut off: more waited in the outbox than its bound. A slow consumer.`;
    case "postman": return event.state === "walks" ? `The postman walks to ${plural((event.outboxes ?? []).length, "outbox", "outboxes")}.` : "The postman sleeps until there is something to carry.";
    case "skipped": return `${plural(event.count ?? 0, "event")} went by too fast to draw. Slow the server down to see each.`;
    default: return "";
  }
}
