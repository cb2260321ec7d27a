/**
 * Shakes hands again and again: `node handshake-client.js PORT VERSION KIND CONNECTIONS SECONDS`, VERSION 1.2 or 1.3, and
 * KIND full or resumed. Prints what it did as a line of JSON: handshakes, seconds, and what went wrong.
 *
 * Each connection ends when its handshake has: nothing is asked for. Every one is looked at: another version, or a session
 * that is resumed or not against the order, is a fault. (`openssl s_time -reuse` does not wait for the tickets of TLS 1.3,
 * and so resumes nothing there.)
 */
import { connect, createSecureContext } from "node:tls";

const END_LIMIT_MS = 5_000;
const [port, version, kind, connections, seconds] = process.argv.slice(2);
const protocol = `TLSv${version}`;

// The same for every server, whatever it would prefer. P-256 stands for the signature of TLS 1.2 (RFC 8422 §5.1).
const secureContext = createSecureContext({
  minVersion: protocol,
  maxVersion: protocol,
  ciphers: "TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
  ecdhCurve: "X25519:P-256",
});

const counts = { handshakes: 0, seconds: 0, faults: [] };
/** One for all connections: servers that keep nothing take the same ticket again and again (RFC 8446 §8.1). */
let session;
let isOver = false;
let isFinished = false;
let underWay = 0;
let began;

if (kind === "resumed") shakeHands(begin);
else begin();

function begin() {
  counts.handshakes = 0;
  began = performance.now();
  setTimeout(end, Number(seconds) * 1000);
  for (let index = 0; index < Number(connections); index += 1) again();
}

function again() {
  if (!isOver) shakeHands(again);
}

/** One connection, from its start to its end. */
function shakeHands(onEnd) {
  const isResuming = session !== undefined;
  const isForTicket = kind === "resumed" && !isResuming;
  let isDone = false;
  underWay += 1;
  const socket = connect({ port: Number(port), host: "127.0.0.1", secureContext, session, rejectUnauthorized: false });
  socket.once("secureConnect", () => {
    isDone = true;
    counts.handshakes += 1;
    if (socket.getProtocol() !== protocol) report(`${socket.getProtocol()}: expected ${protocol}`);
    if (socket.isSessionReused() !== isResuming) report(`a session was ${isResuming ? "not " : ""}resumed`);
    if (!isForTicket) socket.end();
  });
  if (isForTicket) {
    socket.once("session", (ticket) => {
      session = ticket;
      // OpenSSL is still reading the ticket, and while it does it sends no close_notify.
      setImmediate(() => socket.end());
    });
  }
  socket.once("error", ({ message }) => {
    // How a server closes is not measured: hitch sends an alert when a connection ends that asked for nothing.
    if (!isDone) report(message);
  });
  socket.once("close", () => {
    underWay -= 1;
    if (!isDone) report("a connection was closed before the end of its handshake");
    if (isForTicket && session === undefined) report("a server gave no ticket");
    if (isOver && underWay === 0) finish();
    else onEnd();
  });
  // The end of the stream is only seen by whoever reads what is before it, such as tickets.
  socket.resume();
}

/** The last handshakes are waited for, so that the server has done no work that does not count. */
function end() {
  isOver = true;
  setTimeout(() => report("a handshake did not end"), END_LIMIT_MS);
}

function report(fault) {
  counts.faults.push(fault);
  finish();
}

function finish() {
  if (isFinished) return;
  isFinished = true;
  counts.seconds = began === undefined ? 0 : (performance.now() - began) / 1000;
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit());
}
