// The conversations of this session: what was said in each, what is unread, who is there.  No DOM here.
//
// talk    a conversation: with everybody, in a room, or with one person
// line    {id, at, from, text, state, why}: a message, or a note (from is "")
// state   of a line of ours: "waiting" (not sent yet), "sent" (no reply yet), "ok", "failed" (ERR),
//         "uncertain" (the connection was lost before the reply: it may have arrived, or not)
// key     what is compared: names in upper and lower case are the same name

const MAX_LINES = 500; // of each talk; one cannot scroll through more anyway
const MAX_SAVED_LINES = 200; // the browser keeps 5 MB for us

export const keyOf = (kind, name) => `${kind}:${name.toLowerCase()}`;

export class Talks {
  constructor() {
    this.name = ""; // ours
    this.online = new Map(); // key -> name
    this.talks = new Map(); // key -> talk
    this.nextId = 1;
    this.everybody = this.open("all", "Everybody");
    this.active = this.everybody;
  }

  // Return the talk, a new one if there is none.
  open(kind, name) {
    const key = keyOf(kind, name);
    if (!this.talks.has(key)) {
      const talk = { key, kind, name, lines: [], unread: 0, draft: "", joined: false, members: new Map() };
      this.talks.set(key, talk);
    }
    return this.talks.get(key);
  }

  find(kind, name) {
    return this.talks.get(keyOf(kind, name));
  }

  activate(talk, seen) {
    this.active = talk;
    if (seen) talk.unread = 0;
  }

  // Add a message or a note, and return it.
  add(talk, from, text, state = "") {
    const line = { id: this.nextId++, at: Date.now(), from, text, state, why: "" };
    talk.lines.push(line);
    if (talk.lines.length > MAX_LINES) {
      // Notes go first.  What we have still to send, or to ask about, must stay.
      const note = talk.lines.findIndex((old) => !old.from);
      const at = note >= 0 ? note : talk.lines.findIndex((old) => !old.state || old.state === "ok");
      if (at >= 0) talk.lines.splice(at, 1);
    }
    return line;
  }

  // Return [talk, line] of all our lines that wait to be sent, in the order in which they were typed.
  waiting() {
    const found = [];
    for (const talk of this.talks.values())
      for (const line of talk.lines) if (line.state === "waiting") found.push([talk, line]);
    return found.sort(([, one], [, other]) => one.id - other.id);
  }

  get unread() {
    let count = 0;
    for (const talk of this.talks.values()) count += talk.unread;
    return count;
  }

  // What is listed: all but rooms that were left, and people who are offline and with whom nothing was said.
  get rooms() {
    return [...this.talks.values()].filter((talk) => talk.kind === "room" && (talk.joined || talk === this.active));
  }

  get people() {
    const names = new Map(this.online);
    for (const talk of this.talks.values())
      if (talk.kind === "person" && (talk.lines.length || talk.draft || talk === this.active))
        if (!names.has(talk.name.toLowerCase())) names.set(talk.name.toLowerCase(), talk.name);
    names.delete(this.name.toLowerCase());
    const rank = ([key, name]) => `${this.online.has(key) ? 0 : 1}${name.toLowerCase()}`;
    return [...names].sort((one, other) => (rank(one) < rank(other) ? -1 : 1)).map(([, name]) => name);
  }

  // Do what an event tells.  Returns [talk, line] for a message of somebody else, else null.
  obey(event) {
    const words = event.split(" ");
    const rest = (count) => words.slice(count).join(" ");
    const name = words[1] ?? "";
    switch (words[0]) {
      case "MSG":
        if (name.toLowerCase() === this.name.toLowerCase()) return null; // to oneself: it stands there already
        return this.said(this.open("person", name), name, rest(2));
      case "ALL":
        return this.said(this.everybody, name, rest(2));
      case "SAY":
        return this.said(this.open("room", name), words[2] ?? "", rest(3));
      case "USERS":
        for (const user of words.slice(1)) this.online.set(user.toLowerCase(), user);
        return null;
      case "ONLINE":
        this.online.set(name.toLowerCase(), name);
        return this.noted(name, "is online");
      case "OFFLINE":
        this.online.delete(name.toLowerCase());
        return this.noted(name, "has gone");
      case "MEMBERS":
        this.open("room", name).name = name; // as its first member typed it
        for (const user of words.slice(2)) this.open("room", name).members.set(user.toLowerCase(), user);
        return null;
      case "JOINED":
        this.open("room", name).members.set(rest(2).toLowerCase(), rest(2));
        this.add(this.open("room", name), "", `${rest(2)} has come in`);
        return null;
      case "LEFT":
        this.open("room", name).members.delete(rest(2).toLowerCase());
        this.add(this.open("room", name), "", `${rest(2)} has left`);
        return null;
      default:
        return null; // of a newer server
    }
  }

  said(talk, from, text) {
    return [talk, this.add(talk, from, text)];
  }

  noted(name, what) {
    this.add(this.everybody, "", `${name} ${what}`);
    const talk = this.find("person", name);
    if (talk?.lines.length) this.add(talk, "", `${name} ${what}`);
    return null;
  }

  // The connection is lost: who is here now is not known.
  forgetWho() {
    this.online.clear();
    for (const talk of this.talks.values()) talk.members.clear();
  }

  // For a reload of the page: as JSON, and back.
  save() {
    const talks = [...this.talks.values()].map(({ members, lines, ...talk }) => ({
      ...talk,
      lines: lines.filter((line, at) => at >= lines.length - MAX_SAVED_LINES || line.state === "waiting"),
    }));
    return JSON.stringify({ name: this.name, nextId: this.nextId, active: this.active.key, talks });
  }

  restore(text) {
    const saved = JSON.parse(text);
    for (const talk of saved.talks) {
      for (const line of talk.lines) if (line.state === "sent") line.state = "uncertain";
      Object.assign(this.open(talk.kind, talk.name), talk);
    }
    this.name = saved.name;
    this.nextId = saved.nextId;
    this.active = this.talks.get(saved.active) ?? this.everybody;
  }
}
