// A correct chat server, with Node: node chat.js PORT
const net = require("net");

const users = new Map(); // lower-case name -> {name, socket}
const MAX_WAITING_BYTES = 4_000_000;

function send(socket, text) {
  if (socket.writableLength > MAX_WAITING_BYTES) socket.destroy();
  else if (!socket.destroyed) socket.write(text + "\n");
}

function answer(user, line) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    return "ERR bad-encoding this is not UTF-8";
  }
  const space = text.indexOf(" ");
  const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase();
  const rest = space < 0 ? null : text.slice(space + 1);
  if (verb === "HELP") return rest === null ? "OK LOGIN MSG LOGOUT HELP" : "ERR bad-arguments HELP stands alone";
  if (verb === "LOGOUT") {
    if (rest !== null) return "ERR bad-arguments LOGOUT stands alone";
    user.over = true;
    return "OK bye";
  }
  if (verb === "LOGIN") {
    if (!rest) return "ERR bad-arguments which name?";
    if (user.name) return "ERR already-logged-in you have a name";
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,19}$/.test(rest)) return "ERR bad-name letters, digits, _ and -";
    if (users.has(rest.toLowerCase())) return "ERR name-taken try another";
    user.name = rest;
    users.set(rest.toLowerCase(), user);
    return `OK hello, ${rest}`;
  }
  if (verb !== "MSG") return "ERR unknown-command ask for HELP";
  if (!user.name) return "ERR not-logged-in LOGIN first";
  const cut = (rest ?? "").indexOf(" ");
  if (cut < 1 || cut === rest.length - 1) return "ERR bad-arguments MSG name text";
  const other = users.get(rest.slice(0, cut).toLowerCase());
  const words = rest.slice(cut + 1);
  if (!other) return "ERR no-such-user nobody of that name";
  if (/^ *$/.test(words) || /[\x00-\x08\x0a-\x1f\x7f-\x9f]/.test(words)) return "ERR bad-text";
  send(other.socket, `MSG ${user.name} ${words}`);
  return "OK";
}

function forget(user) {
  if (user.name && users.get(user.name.toLowerCase()) === user) users.delete(user.name.toLowerCase());
}

net.createServer({ allowHalfOpen: true }, (socket) => {
  const user = { name: null, socket, over: false };
  let held = Buffer.alloc(0);
  let skipping = false;
  socket.setNoDelay();
  socket.on("error", () => socket.destroy());
  socket.on("close", () => forget(user));
  socket.on("end", () => { forget(user); socket.end(); });
  socket.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    let end;
    while (!user.over && (end = held.indexOf(10)) >= 0) {
      let line = held.subarray(0, end);
      held = held.subarray(end + 1);
      if (line.at(-1) === 13) line = line.subarray(0, -1);
      if (skipping) skipping = false;
      else if (line.length > 1024) send(socket, "ERR line-too-long 1024 bytes at most");
      else if (line.length) send(socket, answer(user, line));
    }
    if (held.length > 1025 && !skipping && !user.over) {
      skipping = true;
      send(socket, "ERR line-too-long 1024 bytes at most");
    }
    if (skipping || user.over) held = Buffer.alloc(0);
    if (user.over) { forget(user); socket.end(); }
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
