// Travel: a line that goes from the thread which wrote it to the outbox of another lane, and on to
// the kernel.  It shows the way; where the line is, the lanes show.  Whoever wants less motion sees none.

import { asText, icon, make } from "./marks.js";

const MOST = 10; // under way at once: more is a swarm that tells nothing
const SLOW_MS = 900; // there is time to follow it
const FAST_MS = 250;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Travel {
  constructor(layer, lanes) {
    this.layer = layer;
    this.lanes = lanes;
    this.count = 0;
  }

  // Let the lines of these events travel; only so many that one can follow them.
  show(events, model) {
    if (STILL.matches || document.hidden) return;
    const moving = events.filter((event) => !event.present && (event.kind === "put" || (event.kind === "sent" && event.bytes)));
    const time = model.mode.mode === "runs" ? FAST_MS : SLOW_MS;
    for (const event of moving.slice(0, MOST - this.count)) {
      if (event.kind === "sent") this.fly(event.lane, "outbox", event.lane, "kernel", "", time, event.thread === "postman" ? "bag" : "sends");
      else this.fly(typeof event.by === "number" ? event.by : event.lane, "lock", event.lane, "outbox", event.data, time);
    }
  }

  fly(fromLane, fromPart, toLane, toPart, data, time, shape = fromLane === toLane ? "sends" : "letter") {
    const from = this.lanes.where(fromLane, fromPart);
    const to = this.lanes.where(toLane, toPart);
    if (!from || !to || from === to) return;
    const token = make("span", fromLane === toLane ? "token own" : "token", asText(data, 18));
    token.prepend(icon(shape));
    Object.assign(token.dataset, { from: fromLane, to: toLane, part: toPart });
    this.layer.append(token);
    const home = this.layer.getBoundingClientRect();
    const middle = (element) => {
      const box = element.getBoundingClientRect();
      const x = Math.min(box.left - home.left + box.width / 2, home.width - 20);
      return `translate(${x}px, ${box.top - home.top + box.height / 2}px) translate(-50%, -50%)`;
    };
    this.count += 1;
    const flight = token.animate(
      [{ transform: middle(from), opacity: 0.3 }, { opacity: 1, offset: 0.15 }, { opacity: 1, offset: 0.85 }, { transform: middle(to), opacity: 0.2 }],
      { duration: time, easing: "ease-in-out" },
    );
    flight.onfinish = flight.oncancel = () => {
      token.remove();
      this.count -= 1;
    };
  }
}
