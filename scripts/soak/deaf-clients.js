/**
 * A process of clients that ask for a file and read nothing. It prints as JSON how many have asked when its standard input ends.
 *
 *     node scripts/soak/deaf-clients.js PORT COUNT plain|tls PATH [FIELD LINE]
 */
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

const [port, count, kind, path, field] = process.argv.slice(2);
const AT_ONCE = 50;

const sockets = [];
for (let begun = 0; begun < Number(count); begun += AT_ONCE) {
  sockets.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - begun) }, ask))));
}
process.stdin.resume();
await once(process.stdin, "end");
console.log(JSON.stringify({ asked: sockets.length }));
process.exit(0);

async function ask() {
  const options = { port: Number(port), host: "127.0.0.1", rejectUnauthorized: false };
  const socket = kind === "tls" ? connectTls(options) : connect(options);
  // Paused before it connects, a socket is never read.
  if (kind !== "tls") socket.pause();
  socket.on("error", () => undefined);
  await once(socket, kind === "tls" ? "secureConnect" : "connect");
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${field === undefined ? "" : `${field}\r\n`}\r\n`);
  return socket;
}
