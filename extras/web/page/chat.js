// The chat: one user's session.  She logs in once; after that the page does it, each time that it
// has a connection again: LOGIN, JOIN for each of her rooms, then what she has written meanwhile.
//
// A message that was sent and not answered before the connection was lost may have arrived or not.
// To send it again might say it twice; so she is asked.

import { Link } from "./link.js";
import { Talks } from "./talks.js";
import { View, byId } from "./view.js";

const STORE = "chat"; // in sessionStorage: this tab's own, and gone with it
const SAVE_AFTER_MS = 300;
const MAX_ROWS = 6; // of the field for messages: a phone's keyboard leaves room for that
const MAX_LINE_BYTES = 1024; // PROTOCOL.md's limit
const ERRORS = new Map(Object.entries({
  "bad-name": "a name is a letter, then letters, digits, _ or -, and at most 20 of them",
  "name-taken": "somebody else has this name; choose another",
  "no-such-user": "nobody of this name is online",
  "not-in-room": "you are not in this room",
  "bad-text": "there is a control character in it",
  "line-too-long": "it is too long",
  "too-many-rooms": "you are in too many rooms",
  unavailable: "the server cannot do that just now; try again later",
}));
const inWords = ({ code, text }) => ERRORS.get(code) ?? (text || code);

const talks = new Talks();
const view = new View(talks, { choose, join, again });
const link = new Link(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`, {
  opened: logIn,
  event: obey,
  lost: ({ why, nextAt }) => tellOffline(why, nextAt),
});
let loggedIn = false; // on this connection
let knownHere = false; // have we been logged in under this name in this session?

// The session

function logIn() {
  link.request(`LOGIN ${talks.name}`, (reply) => {
    if (!reply) return; // lost again
    if (!reply.ok && !knownHere) return refused(inWords(reply));
    if (!reply.ok) {
      // The server may not have noticed yet that our last connection is dead.
      const taken = reply.code === "name-taken";
      link.lose(taken ? "your name is in use, perhaps in another tab, or by your own lost connection" : inWords(reply));
      return;
    }
    loggedIn = knownHere = true;
    link.settled();
    talks.online.set(talks.name.toLowerCase(), talks.name);
    showScreen("chat");
    view.drawStatus({ state: "online", text: "Online" });
    for (const talk of talks.talks.values()) if (talk.kind === "room" && talk.joined) enter(talk);
    flush();
    changed();
  });
}

function refused(why) {
  link.close();
  showScreen("login");
  byId("login-error").textContent = why[0].toUpperCase() + why.slice(1) + ".";
  byId("name").focus();
}

function tellOffline(why, nextAt) {
  loggedIn = false;
  talks.forgetWho();
  if (!knownHere) {
    byId("login-error").textContent = `Not connected: ${why}. Trying again …`;
    return;
  }
  const text = `Offline: ${why}. What you write now is sent as soon as you are back.`;
  view.drawStatus({ state: "offline", text, nextAt, taken: why.startsWith("your name") });
  changed();
}

function enter(talk) {
  talk.members.clear(); // the answer lists them
  link.request(`JOIN ${talk.name}`, (reply) => {
    if (!reply || reply.ok || reply.code === "already-joined") return changed();
    talk.joined = false;
    if (talk === talks.active) talks.activate(talks.everybody, true);
    byId("join-error").textContent = `${talk.name}: ${inWords(reply)}.`;
    changed();
  });
}

function obey(event) {
  const said = talks.obey(event);
  if (event.startsWith("ROOM ")) roomsTold.push([event.split(" ")[1], Number(event.split(" ")[2])]);
  if (said) {
    const [talk, line] = said;
    if (talk !== talks.active || document.hidden) talk.unread += 1;
    if (talk !== talks.active) view.tellElsewhere(talk, line.from);
  }
  changed();
}

// What she does

function choose(kind, name) {
  activate(talks.open(kind, name));
  byId("message").focus();
}

function activate(talk) {
  const message = byId("message");
  talks.activate(talk, !document.hidden);
  message.value = talk.draft;
  byId("send-error").textContent = "";
  document.body.dataset.pane = "talk";
  fitMessage();
  changed();
}

function join(name) {
  byId("join-error").textContent = "";
  const known = talks.find("room", name);
  const talk = talks.open("room", name);
  const wasIn = known?.joined;
  talk.joined = true;
  activate(talk);
  byId("message").focus();
  if (loggedIn && !wasIn) enter(talk);
}

function leave(talk) {
  talk.joined = false;
  talk.members.clear();
  if (loggedIn) link.request(`LEAVE ${talk.name}`);
  activate(talks.everybody);
  byId("message").focus();
}

const roomsTold = [];
function listRooms() {
  roomsTold.length = 0;
  link.request("ROOMS", (reply) => {
    if (reply?.ok) view.showRooms([...roomsTold].sort(([one], [other]) => (one.toLowerCase() < other.toLowerCase() ? -1 : 1)));
    else byId("join-error").textContent = "You are offline: ask again later.";
  });
}

const requestOf = (talk, text) =>
  ({ all: "ALL", room: `SAY ${talk.name}`, person: `MSG ${talk.name}` })[talk.kind] + ` ${text}`;

function say() {
  const message = byId("message");
  const talk = talks.active;
  const texts = message.value.split(/\r\n|\r|\n/).filter((text) => text.trim());
  // In our terminals this would be a command.  What follows /msg bob is not meant for everybody.
  if (texts[0]?.startsWith("/")) {
    byId("send-error").textContent = "There are no commands here. To send a text that begins with /, put a space before it.";
    return;
  }
  const size = Math.max(0, ...texts.map((text) => new TextEncoder().encode(requestOf(talk, text)).length));
  if (size > MAX_LINE_BYTES) {
    const over = size - MAX_LINE_BYTES;
    byId("send-error").textContent = `Too long by ${over} ${over === 1 ? "byte" : "bytes"}: make two messages of it.`;
    return;
  }
  byId("send-error").textContent = "";
  for (const text of texts) talks.add(talk, talks.name, text, "waiting");
  message.value = talk.draft = "";
  fitMessage();
  flush();
  save();
  view.toEnd();
  changed();
}

// Send all that waits, in the order in which it was typed.
function flush() {
  if (!loggedIn) return;
  for (const [talk, line] of talks.waiting()) {
    line.state = "sent";
    link.request(requestOf(talk, line.text), (reply) => {
      line.state = !reply ? "uncertain" : reply.ok ? "ok" : "failed";
      line.why = reply?.ok === false ? inWords(reply) : "";
      changed();
    });
  }
}

function again(talk, line) {
  line.state = "waiting";
  line.id = talks.nextId++; // it goes to the end: that is when it is said
  line.at = Date.now();
  talk.lines.push(...talk.lines.splice(talk.lines.indexOf(line), 1));
  flush();
  changed();
}

function logOut() {
  if (talks.waiting().length && !confirm("Some of your messages have not been sent yet. Log out all the same?")) return;
  const end = () => {
    link.close();
    sessionStorage.removeItem(STORE);
    leaving = true;
    location.reload(); // with an empty page nobody reads what she has read
  };
  if (loggedIn) link.request("LOGOUT", end);
  else end();
}

// Saving, and what the page shows

let leaving = false;
let saveTimer = 0;

function save() {
  clearTimeout(saveTimer);
  saveTimer = 0;
  if (leaving || !knownHere) return;
  try {
    sessionStorage.setItem(STORE, talks.save());
  } catch {
    // No room, or not allowed: then a reload loses the history, and nothing else.
  }
}

function changed() {
  view.draw();
  saveTimer ||= setTimeout(save, SAVE_AFTER_MS);
}

function showScreen(screen) {
  if (document.body.dataset.screen === screen) return;
  document.body.dataset.screen = screen;
  if (screen === "chat") {
    byId("message").value = talks.active.draft;
    fitMessage();
    byId("message").focus();
  }
}

function fitMessage() {
  const message = byId("message");
  message.rows = 1;
  while (message.rows < MAX_ROWS && message.scrollHeight > message.clientHeight) message.rows += 1;
}

// The next talk in the order of the list, in this direction, for which `wanted` holds.
function step(direction, wanted = () => true) {
  const all = [...document.querySelectorAll(".talk-button[aria-current]")];
  const at = all.findIndex((button) => button.getAttribute("aria-current") === "true");
  for (let n = 1; n <= all.length; n++) {
    const button = all[(at + direction * n + all.length * n) % all.length];
    if (wanted(button)) return button.click();
  }
}

function onKey(event) {
  if (document.body.dataset.screen !== "chat" || byId("all-rooms").open) return;
  if (event.key === "Escape") {
    document.body.dataset.pane = "talk";
    byId("message").focus();
    return;
  }
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.code === "ArrowUp") step(-1);
  else if (event.code === "ArrowDown") step(1);
  else if (event.code === "KeyU") step(1, (button) => !button.querySelector(".unread").hidden);
  else if (event.code === "KeyJ") {
    document.body.dataset.pane = "list";
    byId("room").focus();
  } else return;
  event.preventDefault();
}

function onSubmit(id, act) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

function begin() {
  onSubmit("login", () => {
    const name = byId("name").value.trim();
    byId("login-error").textContent = "";
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,19}$/.test(name)) return refused(ERRORS.get("bad-name"));
    talks.name = name;
    link.close(); // an attempt with another name
    link.connect();
  });
  onSubmit("send", say);
  onSubmit("join", () => {
    const name = byId("room").value.trim().replace(/^#/, "");
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,19}$/.test(name)) {
      byId("join-error").textContent = "A room's name is a letter, then letters, digits, _ or -, and at most 20 of them.";
      return;
    }
    byId("room").value = "";
    join(name);
  });
  byId("message").addEventListener("keydown", (event) => {
    // isComposing: Enter that chooses a Chinese or Japanese word sends nothing.
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !event.isComposing) {
      event.preventDefault();
      say();
    }
  });
  byId("message").addEventListener("input", () => {
    talks.active.draft = byId("message").value;
    byId("send-error").textContent = "";
    fitMessage();
    changed();
  });
  byId("leave").addEventListener("click", () => leave(talks.active));
  byId("logout").addEventListener("click", logOut);
  byId("list-rooms").addEventListener("click", listRooms);
  byId("back").addEventListener("click", () => {
    document.body.dataset.pane = document.body.dataset.pane === "list" ? "talk" : "list";
  });
  byId("retry").addEventListener("click", () => link.connect());
  byId("other-name").addEventListener("click", () => {
    knownHere = false;
    link.close();
    byId("name").value = talks.name;
    showScreen("login");
    byId("name").focus();
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return save();
    talks.active.unread = 0;
    if (link.wanted) link.connect(); // now, not after the pause
    changed();
  });
  addEventListener("online", () => link.wanted && link.connect());
  addEventListener("offline", () => link.wanted && link.socket && link.lose("this device is offline"));
  addEventListener("pagehide", save); // where nobody is told that the page is hidden by its end

  const saved = sessionStorage.getItem(STORE);
  if (saved) {
    try {
      talks.restore(saved);
    } catch {
      sessionStorage.removeItem(STORE); // of an older page, perhaps
      return;
    }
    knownHere = true;
    showScreen("chat");
    view.drawStatus({ state: "waiting", text: "Connecting …" });
    view.drawNow();
    link.connect();
  }
}

begin();
