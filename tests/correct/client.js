// A correct client of step 2, with Node: node client.js HOST PORT
const net = require("net");

const socket = net.connect({ host: process.argv[2], port: Number(process.argv[3]), allowHalfOpen: true });
let inputEnded = false;

socket.on("connect", () => {
  process.stdin.on("end", () => { inputEnded = true; });
  process.stdin.pipe(socket);
});
socket.on("data", (chunk) => {
  if (!process.stdout.write(chunk)) {
    socket.pause();
    process.stdout.once("drain", () => socket.resume());
  }
});
socket.on("error", (error) => {
  console.error(`no connection: ${error.code}`);
  process.exit(1);
});
socket.on("end", () => {
  if (!inputEnded) console.error("the server has gone");
  process.exitCode = inputEnded ? 0 : 1;
  socket.destroy();
  process.stdin.destroy();
});
