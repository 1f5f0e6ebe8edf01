// A link to the server: one WebSocket, and another one when it is lost.
//
// request     a line of ours; each gets exactly one reply, OK or ERR, in the order of the requests
// event       any other line: nobody asked for it, and it may stand between a request and its reply
// unanswered  the requests whose reply has not come yet, oldest first
// last words  an ERR that answers nothing: the server ends the connection, and says why
//
// It knows OK and ERR, and no verb but HELP, with which it asks a silent server whether it lives.

const LAST_WORDS = new Set(["server-full", "login-timeout", "too-slow", "shutting-down"]);
const FIRST_PAUSE_MS = 500; // a server that restarts is back soon
const LONGEST_PAUSE_MS = 30_000; // each pause is twice the one before; but nobody must wait longer than this
const SILENT_MS = 25_000; // proxies and home routers forget connections that are silent for a minute
const ANSWER_MS = 10_000; // who has not answered by then has gone, and TCP may notice it only much later
const TICK_MS = 1000;

export class Link {
  // `on` has opened(), event(line) and lost({why, nextAt}).
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.unanswered = [];
    this.socket = null;
    this.tries = 0;
    this.wanted = false;
    this.timer = 0;
    this.ticker = 0;
  }

  connect() {
    clearTimeout(this.timer);
    this.wanted = true;
    if (this.socket) return;
    this.ticker ||= setInterval(() => this.tick(), TICK_MS);
    this.words = "";
    this.heardAt = 0; // nothing yet
    this.waitsSince = Date.now(); // for an answer; 0 when we wait for none
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.heardAt = Date.now();
      this.waitsSince = 0;
      this.on.opened();
    };
    socket.onmessage = (message) => this.take(message.data);
    socket.onclose = () => this.lose(this.heardAt ? "the connection was lost" : "the server cannot be reached");
  }

  // All is well: should the connection be lost, the first pause is a short one again.
  settled() {
    this.tries = 0;
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  // Send a line.  `done` gets {ok, code, text}, or null if the connection ends before the reply.
  request(line, done = () => {}) {
    if (!this.open) return done(null);
    this.unanswered.push(done); // before it is sent
    this.socket.send(line);
  }

  take(line) {
    this.heardAt = Date.now();
    this.waitsSince = 0;
    const [, first, rest] = /^(\S*) ?([^]*)$/.exec(line);
    if (first !== "OK" && first !== "ERR") return this.on.event(line);
    const [, code, text] = /^(\S*) ?([^]*)$/.exec(rest);
    if (first === "ERR" && LAST_WORDS.has(code)) {
      this.words = text || code;
      return;
    }
    const done = this.unanswered.shift();
    done?.(first === "OK" ? { ok: true, code: "", text: rest } : { ok: false, code, text });
  }

  // A cable that is pulled ends no connection: ask a silent server something.
  tick() {
    if (!this.socket) return;
    const now = Date.now();
    if (this.waitsSince && now - this.waitsSince > ANSWER_MS) this.lose("the server does not answer");
    else if (this.open && !this.waitsSince && now - this.heardAt > SILENT_MS) {
      this.waitsSince = now;
      this.request("HELP");
    }
  }

  // Give this connection up, and try again after a pause.
  lose(why) {
    this.drop();
    if (!this.wanted) return;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.tries++, LONGEST_PAUSE_MS) * (0.8 + 0.4 * Math.random());
    this.timer = setTimeout(() => this.connect(), pause); // not all at once, when the server is back
    this.on.lost({ why: this.words || why, nextAt: Date.now() + pause });
  }

  // End the connection, and stay away.
  close() {
    this.wanted = false;
    clearTimeout(this.timer);
    clearInterval(this.ticker);
    this.ticker = this.tries = 0;
    this.drop();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null; // it may take a minute to end
    socket.close();
    for (const done of this.unanswered.splice(0)) done(null);
  }
}
