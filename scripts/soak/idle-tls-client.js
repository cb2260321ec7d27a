/**
 * Clients of TLS that say one byte each, get one, and then say nothing until the standard input ends; then it prints how
 * many have been answered, and how many were lost.
 *
 *     node scripts/soak/idle-tls-client.js PORT COUNT
 */
import { connect, createSecureContext } from "node:tls";

const [port, count] = process.argv.slice(2).map(Number);
/** As many at a time: a handshake that waits for 10,000 others would be too late. */
const AT_A_TIME = 32;
/** No address of this machine has ports for more. */
const PER_ADDRESS = 20_000;

const secureContext = createSecureContext();
/** Kept from the collector. */
const sockets = [];
let begun = 0;
let answered = 0;
let lost = 0;

function openNext() {
  if (begun === count) return;
  const localAddress = `127.0.1.${1 + Math.floor(begun / PER_ADDRESS)}`;
  begun += 1;
  const socket = connect({ host: "127.0.0.1", port, localAddress, secureContext, rejectUnauthorized: false });
  sockets.push(socket);
  socket.once("secureConnect", () => socket.write("x"));
  socket.once("data", () => {
    answered += 1;
    openNext();
  });
  socket.on("error", () => undefined);
  socket.once("close", () => {
    lost += 1;
  });
}

process.stdin.resume().once("end", () => {
  process.stdout.write(JSON.stringify({ answered, lost }), () => process.exit(0));
});
for (let at = 0; at < AT_A_TIME; at += 1) openNext();
