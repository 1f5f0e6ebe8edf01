// A visitor made with irc-framework, in Node and in a page: it makes an account, comes back to log in with
// SASL, joins #tea, reads what was said there before, and says the last of it.

function visit(Client, options) {
  const account = { account: options.nick, password: "sesame" };
  const newcomer = new Client();
  newcomer.on("registered", () => newcomer.raw(`REGISTER * * ${account.password}`));
  newcomer.on("unknown command", (message) => message.command === "REGISTER" && newcomer.quit());
  newcomer.on("close", () => back.connect({ ...options, account, auto_reconnect: false }));

  const back = new Client();
  back.requestCap(["draft/chathistory", "batch"]);
  back.on("registered", () => back.join("#tea"));
  back.on("userlist", () => back.raw("CHATHISTORY LATEST #tea * 10"));
  back.on("batch end chathistory", (batch) => {
    const said = batch.commands.filter((message) => message.command === "PRIVMSG");
    back.say("#tea", `I have read: ${said.pop().params[1]}`);
  });
  newcomer.connect({ ...options, auto_reconnect: false });
}

if (typeof require === "function") {
  const [host, port, nick] = process.argv.slice(2);
  visit(require("irc-framework").Client, { host, port: Number(port), nick, tls: true });
}
