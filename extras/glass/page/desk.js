// The desk: the WebSocket to the server.  Lists of events come in, commands go out.

const PAUSE_MS = 1000; // before another try, when the server is away

export class Desk {
  // `on` has opened(), events(list) and lost().
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.connect();
  }

  connect() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.early = []; // commands from before it was open: a press must not be lost
    socket.onopen = () => {
      this.on.opened();
      for (const command of this.early.splice(0)) this.tell(command);
    };
    socket.onmessage = (message) => {
      const events = JSON.parse(message.data);
      this.on.events(Array.isArray(events) ? events : [events]);
    };
    socket.onclose = () => {
      this.on.lost();
      setTimeout(() => this.connect(), PAUSE_MS);
    };
  }

  // Give the server a command; without a connection it goes nowhere, and the page says that there is none.
  tell(command) {
    if (this.socket.readyState === WebSocket.CONNECTING) this.early.push(command);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
  }
}
