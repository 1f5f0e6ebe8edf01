// A correct echo server, with Node: node echo.js PORT
const net = require("net");

net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
}).listen(Number(process.argv[2]), () => console.log("echo.js is ready, and prints what it likes"));
