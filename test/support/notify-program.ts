/**
 * A service of one screen: answers each connection with the name of its socket and what a child of it would inherit
 * from the service manager. HUP is a reload that changes nothing; TERM ends it.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { openServiceNotifier } from "../../src/primary/service-notify.ts";
import { takeActivatedSockets } from "../../src/primary/socket-activation.ts";
import { loadNative } from "../../src/system/native.ts";

const notifier = openServiceNotifier(process.env, await loadNative(), console.error);
const sockets = takeActivatedSockets(process.env, process.pid);
const inherited = Object.keys(process.env).filter((name) => /^(LISTEN|WATCHDOG|NOTIFY)_/.test(name));
const servers = sockets.map(({ descriptor, name }) =>
  createServer((connection) => connection.end(`${name}: [${inherited}]\n`)).listen({ fd: descriptor }),
);
await Promise.all(servers.map((server) => once(server, "listening")));
process.on("SIGHUP", () => {
  notifier.reloading();
  notifier.reloaded("kept");
});
process.on("SIGTERM", () => {
  notifier.stopping("SIGTERM");
  for (const server of servers) server.close();
  notifier.close();
});
notifier.ready(`serves ${sockets.length} sockets`);
