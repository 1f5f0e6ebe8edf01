// The view: draws the talks.  It changes nothing of them, and tells `on` what the user wants.
//
// What others write is text: it goes into the page through textContent only, never as HTML.

const SAME_BREATH_MS = 5 * 60_000; // messages of one person within this time stand under one name
const NEAR_END_PX = 60; // who has scrolled up further than this reads, and is not moved
const COLOURS = 8; // of names; as many as chat.css has

const STATES = {
  waiting: "waits until you are online",
  sent: "on its way",
  failed: "not delivered",
  uncertain: "perhaps not delivered: the connection was lost before the answer",
};

export const byId = (id) => document.getElementById(id);

// Return a new element with this class and this text.
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// Make the children of `list` those of `keys`, in this order: old ones are kept, so the focus stays.
function arrange(list, keys, create, update) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  keys.forEach((key, at) => {
    let child = old.get(key);
    old.delete(key);
    if (!child) {
      child = create(key);
      child.dataset.key = key;
    }
    if (list.children[at] !== child) list.insertBefore(child, list.children[at] ?? null);
    update(child, key);
  });
  for (const child of old.values()) child.remove();
}

function colourOf(name) {
  let sum = 0;
  for (const letter of name.toLowerCase()) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return `colour-${sum % COLOURS}`;
}

const sizeOf = (element) => `${element.clientWidth} ${element.clientHeight}`;
const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export class View {
  constructor(talks, on) {
    this.talks = talks;
    this.on = on; // {choose(kind, name), again(talk, line)}
    this.shown = null; // the talk in the log
    this.due = 0;
    const log = byId("log");
    log.addEventListener("scroll", () => {
      if (this.atEnd()) byId("to-end").hidden = true;
    });
    byId("to-end").addEventListener("click", () => this.toEnd());
    // The keyboard of a phone takes half of the page: stay at the end, if we were there.
    new ResizeObserver(() => {
      this.size = sizeOf(log);
      if (this.followed) this.toEnd();
    }).observe(log);
  }

  // Draw soon: once, however much changes until then.
  draw() {
    this.due ||= setTimeout(() => {
      this.due = 0;
      this.drawNow();
    }, 16);
  }

  drawNow() {
    this.drawLists();
    this.drawTalk();
    const unread = this.talks.unread;
    document.title = (unread ? `(${unread}) ` : "") + "Chat";
  }

  drawLists() {
    const { talks } = this;
    byId("my-name").textContent = talks.name;
    this.drawList("everybody", "all", ["Everybody"]);
    this.drawList("rooms", "room", talks.rooms.map((talk) => talk.name));
    this.drawList("people", "person", talks.people);
    const others = [...talks.online.keys()].filter((key) => key !== talks.name.toLowerCase()).length;
    byId("people-count").textContent = others ? `${others} online` : "";
    const elsewhere = talks.unread;
    byId("unread-elsewhere").hidden = !elsewhere;
    byId("unread-elsewhere").textContent = elsewhere;
  }

  drawList(id, kind, names) {
    const create = (name) => {
      const item = make("li");
      const button = make("button", "talk-button");
      button.type = "button";
      button.append(make("span", "mark"), make("bdi", "name"), make("span", "unseen away"), make("span", "unread"));
      button.addEventListener("click", () => this.on.choose(kind, name));
      item.append(button);
      return item;
    };
    arrange(byId(id), names, create, (item, name) => {
      const talk = this.talks.find(kind, name);
      const button = item.firstChild;
      const away = kind === "person" && !this.talks.online.has(name.toLowerCase());
      button.classList.toggle("away", away);
      button.setAttribute("aria-current", talk === this.talks.active ? "true" : "false");
      button.querySelector(".mark").className = `mark ${kind} ${kind === "person" ? colourOf(name) : ""}`;
      button.querySelector(".name").textContent = name;
      button.querySelector(".away").textContent = away ? "(offline)" : "";
      const badge = button.querySelector(".unread");
      badge.hidden = !talk?.unread;
      badge.replaceChildren(`${talk?.unread ?? ""}`, make("span", "unseen", " unread"));
    });
  }

  drawTalk() {
    const talk = this.talks.active;
    const isRoom = talk.kind === "room";
    byId("title").textContent = isRoom ? `#${talk.name}` : talk.name;
    byId("subtitle").textContent = this.subtitle(talk);
    byId("message-label").textContent = `Message to ${talk.kind === "all" ? "everybody" : talk.name}`;
    byId("message").placeholder = byId("message-label").textContent;
    byId("leave").hidden = !isRoom || !talk.joined;
    byId("members").hidden = !talk.members.size;
    byId("members-title").textContent = `${talk.members.size} in here`;
    arrange(
      byId("member-list"),
      [...talk.members.values()],
      (name) => {
        const item = make("li");
        const button = make("button", `quiet-button ${colourOf(name)}`, name);
        button.type = "button";
        button.addEventListener("click", () => this.on.choose("person", name));
        item.append(button);
        return item;
      },
      () => {},
    );
    this.drawLog(talk);
  }

  subtitle(talk) {
    if (talk.kind === "all") return "everyone who is online reads this";
    if (talk.kind === "person") return this.talks.online.has(talk.name.toLowerCase()) ? "online" : "offline";
    return talk.joined ? "" : "you have left this room";
  }

  drawLog(talk) {
    const log = byId("log");
    const moved = talk !== this.shown;
    const followed = moved || this.atEnd();
    const before = log.lastChild;
    // A screen reader reads what is added to a log; but not all of another one.
    if (moved) {
      log.setAttribute("aria-busy", "true");
      log.replaceChildren();
      this.shown = talk;
    }
    const lines = new Map(talk.lines.map((line) => [`${line.id}`, line]));
    let previous = null;
    arrange(
      log,
      [...lines.keys()],
      (key) => this.makeLine(lines.get(key)),
      (item, key) => {
        this.updateLine(item, talk, lines.get(key), previous);
        previous = lines.get(key);
      },
    );
    byId("empty").hidden = talk.lines.length > 0;
    byId("empty").textContent = talk.lines.length ? "" : "Nothing has been said here yet.";
    if (moved) setTimeout(() => log.setAttribute("aria-busy", "false"));
    if (followed) this.toEnd();
    else if (log.lastChild !== before) byId("to-end").hidden = false;
  }

  makeLine(line) {
    if (!line.from) return make("li", "line note", line.text);
    const item = make("li", "line");
    const head = make("div", "head");
    head.append(make("bdi", `from ${colourOf(line.from)}`, line.from));
    const time = make("time", "quiet", clock(line.at));
    time.dateTime = new Date(line.at).toISOString();
    head.append(time);
    const text = make("div", "text", line.text);
    text.dir = "auto"; // Arabic and Hebrew from right to left
    item.append(head, text, make("div", "state"));
    return item;
  }

  updateLine(item, talk, line, previous) {
    if (!line.from) return;
    const follows = previous?.from === line.from && line.at - previous.at < SAME_BREATH_MS;
    item.classList.toggle("follows", follows);
    item.classList.toggle("own", Boolean(line.state));
    if (item.dataset.state === line.state) return;
    item.dataset.state = line.state;
    const state = item.querySelector(".state");
    state.replaceChildren();
    if (!STATES[line.state]) return;
    state.append(make("span", "", STATES[line.state] + (line.why ? `: ${line.why}` : "")));
    if (line.state === "failed" || line.state === "uncertain") {
      const button = make("button", "quiet-button", "Send again");
      button.type = "button";
      button.addEventListener("click", () => this.on.again(talk, line));
      state.append(" ", button);
    }
  }

  atEnd() {
    const log = byId("log");
    // Of another size than before, it has not been scrolled by her; the ResizeObserver comes next.
    if (sizeOf(log) === this.size) this.followed = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    return this.followed;
  }

  toEnd() {
    const log = byId("log");
    log.scrollTop = log.scrollHeight;
    this.followed = true;
    byId("to-end").hidden = true;
  }

  // For screen readers: what comes in another conversation than the one that is open.
  tellElsewhere(talk, from) {
    byId("elsewhere").textContent = `${from} has written ${talk.kind === "person" ? "to you" : `in ${talk.name}`}`;
  }

  // `status` has state ("online", "waiting", "offline"), text, and perhaps nextAt and taken.
  drawStatus(status) {
    byId("status").dataset.state = status.state;
    byId("status-text").textContent = status.text;
    byId("my-state").textContent = status.state === "online" ? "" : "(offline)"; // on a phone, beside the list
    byId("retry").hidden = status.state !== "offline";
    byId("other-name").hidden = !status.taken;
    clearInterval(this.counter);
    byId("countdown").textContent = "";
    if (!status.nextAt) return;
    const count = () => {
      const left = Math.max(0, Math.ceil((status.nextAt - Date.now()) / 1000));
      byId("countdown").textContent = left ? `Next try in ${plural(left, "second", "seconds")}.` : "";
    };
    count();
    this.counter = setInterval(count, 1000);
  }

  showRooms(rooms) {
    byId("no-rooms").hidden = rooms.length > 0;
    arrange(
      byId("all-rooms-list"),
      rooms.map(([name]) => name),
      (name) => {
        const item = make("li");
        const button = make("button", "talk-button");
        button.type = "button";
        button.append(make("span", "mark room"), make("bdi", "name", name), make("span", "quiet count"));
        button.addEventListener("click", () => {
          byId("all-rooms").close();
          this.on.join(name);
        });
        item.append(button);
        return item;
      },
      (item, name) => {
        const count = rooms.find(([other]) => other === name)[1];
        item.querySelector(".count").textContent = plural(count, "member", "members");
      },
    );
    byId("all-rooms").showModal();
  }
}
