// Controls: what the user presses becomes commands for the desk.

import { byId, make } from "./marks.js";

const RATES = [1, 2, 4, 8, 16, 32, 0]; // steps a second, a stop of the slider each; 0 is real time
const FLOOD_CHARS = 900; // a line may have 1024 bytes
const NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

const NARROW = matchMedia("(max-width: 56rem)"); // as in glass.css

const rateInWords = (rate) => (rate ? `${rate} ${rate === 1 ? "step" : "steps"} a second` : "real time");

// Return text as the bytes of its UTF-8, a character each.
const bytesOf = (text) => [...new TextEncoder().encode(text)].map((byte) => String.fromCharCode(byte)).join("");

// Take "LOG|IN alice\n" apart: the bytes, and where they are cut.
export function cutAtBars(text) {
  const pieces = text.replaceAll("\\n", "\n").replaceAll("\\r", "\r").split("|").map(bytesOf);
  const cuts = [];
  let at = 0;
  for (const piece of pieces.slice(0, -1)) cuts.push((at += piece.length));
  return { data: pieces.join(""), cuts: cuts.filter((cut) => cut > 0 && cut < at + pieces.at(-1).length) };
}

export class Controls {
  constructor(model, tell, on) {
    this.model = model;
    this.tell = (command) => {
      this.refuse(""); // that was about the command before
      tell(command);
    };
    this.on = on; // {pick(number), follow()}
    this.deaf = new Set(); // lanes whose users we have told not to read
    this.shown = null; // the choices of "You are", as they stand there
    byId("pause").addEventListener("click", () => this.pauseOrRun());
    byId("step").addEventListener("click", () => this.step());
    byId("server").addEventListener("change", () => this.tell({ do: "server", server: byId("server").value }));
    byId("rate").addEventListener("input", () => this.setRate());
    byId("scene").addEventListener("change", () => byId("scene").value && this.tell({ do: "scene", scene: Number(byId("scene").value) }));
    byId("next").addEventListener("click", () => this.model.scene?.done && this.tell({ do: "next" }));
    byId("first-users").addEventListener("click", () => NAMES.slice(0, 2).forEach((name) => this.tell({ do: "add", name })));
    byId("first-scene").addEventListener("click", () => this.tell({ do: "scene", scene: 1 }));
    byId("add").addEventListener("submit", (event) => this.add(event));
    byId("say").addEventListener("submit", (event) => this.say(event));
    byId("me").addEventListener("change", () => on.pick(Number(byId("me").value)));
    byId("wrong").addEventListener("click", (event) => this.goWrong(event.target.closest("button")));
    byId("wrong").open = !NARROW.matches; // on a phone the picture comes first
    document.addEventListener("keydown", (event) => this.key(event));
  }

  get me() {
    return Number(byId("me").value) || null;
  }

  key(event) {
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    const action = { KeyP: () => this.pauseOrRun(), KeyN: () => this.step(), KeyT: () => byId("text").focus() }[event.code];
    if (!action) return;
    event.preventDefault();
    action();
  }

  pauseOrRun() {
    this.tell({ do: this.model.mode.mode === "paused" ? "run" : "pause" });
  }

  // Let the next thread do one step, whichever it is; or this one.
  step(thread) {
    this.on.follow();
    this.tell(thread ? { do: "step", thread } : { do: "step" });
  }

  setRate() {
    const rate = RATES[byId("rate").value];
    this.drawRate(rate);
    this.tell({ do: "rate", rate });
  }

  add(event) {
    event.preventDefault();
    const taken = new Set(this.model.living.map((lane) => lane.name));
    const name = byId("name").value.trim() || NAMES.find((one) => !taken.has(one)) || `user${this.model.number}`;
    byId("name").value = "";
    this.wanted = name; // she is who one wants to be next
    this.tell({ do: "add", name });
  }

  say(event) {
    event.preventDefault();
    const text = byId("text").value;
    if (!this.me || !text) return;
    this.tell({ do: "say", lane: this.me, text });
    byId("text").value = "";
  }

  goWrong(button) {
    if (!button || !this.me) return;
    const action = button.dataset.do;
    const text = byId("text").value;
    if (action === "cuts") {
      if (text) this.tell({ do: "send", lane: this.me, ...cutAtBars(text) });
      else this.refuse("Type a line first, such as MSG b|ob hi\\n");
    } else if (action === "silent") this.tell({ do: "silent" });
    else {
      const line = text || (action === "flood" ? this.floodLine() : "");
      this.tell(line ? { do: action, lane: this.me, text: line } : { do: action, lane: this.me });
    }
    if (action === "stop_reading") this.deaf.add(this.me);
    if (action === "read_again") this.deaf.delete(this.me);
  }

  // A flood is for somebody who does not read, if there is one; a long line fills the buffers sooner.
  floodLine() {
    const whom = this.model.living.find((lane) => this.deaf.has(lane.number) && lane.number !== this.me && lane.name);
    return whom ? `MSG ${whom.name} ${"x".repeat(FLOOD_CHARS)}` : "";
  }

  refuse(text) {
    byId("refused").textContent = text;
  }

  draw(online) {
    const { mode, scene, refused } = this.model;
    const paused = mode.mode === "paused";
    if (document.activeElement !== byId("server")) byId("server").value = mode.server;
    byId("pause").textContent = paused ? "Run on" : "Pause";
    byId("step").classList.toggle("main-button", paused);
    byId("pause").classList.toggle("main-button", !paused);
    const chip = byId("mode");
    chip.dataset.mode = online ? mode.mode : "away";
    chip.textContent = !online ? "no server" : paused ? "paused" : mode.mode === "slow" ? "slow motion" : "runs";
    if (!paused && document.activeElement !== byId("rate")) {
      const at = RATES.findIndex((rate) => rate === mode.rate || (rate && rate >= mode.rate && mode.rate));
      byId("rate").value = at < 0 ? RATES.length - 1 : at;
      this.drawRate(mode.rate);
    }
    this.drawScene(scene);
    this.drawUsers();
    if (refused) {
      this.refuse(refused);
      this.model.refused = "";
    }
  }

  drawRate(rate) {
    byId("rate-text").textContent = rateInWords(rate);
    byId("rate").setAttribute("aria-valuetext", rateInWords(rate));
  }

  drawScene(scene) {
    document.body.dataset.scene = Boolean(scene);
    for (const id of ["scene-text", "scene-state", "next"]) byId(id).hidden = !scene;
    if (!scene) return;
    if (document.activeElement !== byId("scene")) byId("scene").value = String(scene.scene);
    if (byId("scene-text").textContent !== scene.text) byId("scene-text").textContent = scene.text;
    byId("scene-state").textContent = `${scene.steps ? `step ${scene.step} of ${scene.steps}: ` : ""}${scene.done ? "seen ✓" : "watch …"}`;
    byId("next").setAttribute("aria-disabled", !scene.done); // "disabled" would take the focus from it
    byId("next").classList.toggle("main-button", Boolean(scene.done));
  }

  drawUsers() {
    const users = this.model.living.filter((lane) => lane.isOurs).map((lane) => [lane.number, `${lane.name || "no name"} (lane ${lane.number})`]);
    const newcomer = this.wanted && this.model.living.find((lane) => lane.name === this.wanted);
    const key = users.join();
    if (key !== this.shown) {
      this.shown = key;
      const before = byId("me").value;
      byId("me").replaceChildren(...users.map(([number, words]) => {
        const option = make("option", "", words);
        option.value = number;
        return option;
      }));
      if (users.some(([number]) => String(number) === before)) byId("me").value = before;
      else if (users.length) this.on.pick(users[0][0]);
      byId("say").classList.toggle("nobody", !users.length);
      for (const element of [byId("me"), byId("text"), ...document.querySelectorAll("#say button, #wrong button")]) element.disabled = !users.length;
    }
    if (newcomer) {
      this.wanted = "";
      this.on.pick(newcomer.number);
    }
    byId("wrong-who").textContent = this.model.lanes.get(this.me)?.name || (this.me ? `lane ${this.me}` : "a user");
  }
}
