/**
 * Opens many connections, asks once on each, and holds them: `node idle-client.js PORT PATH COUNT`, started with an IPC
 * channel. Sends `{ open, lost }` when all are open and answered, and again for each message it gets; ends with the
 * channel.
 *
 * Each thousand comes from an address of its own, 127.0.0.2 and on, as clients would.
 */
import { connect } from "node:net";

const PER_ADDRESS = 1000;
/** Fewer than any server's queue of connections not yet accepted. */
const OPENING_AT_ONCE = 64;
const [port, path, count] = process.argv.slice(2);
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;

const state = { open: 0, lost: 0 };
let begun = 0;
let isTold = false;
for (let index = 0; index < OPENING_AT_ONCE; index += 1) openNext();
process.on("message", () => process.send(state));
process.on("disconnect", () => process.exit());

function openNext() {
  if (begun >= Number(count)) return;
  const localAddress = `127.0.0.${2 + Math.floor(begun / PER_ADDRESS)}`;
  begun += 1;
  let answer = "";
  let isAnswered = false;
  const socket = connect({ port: Number(port), host: "127.0.0.1", localAddress });
  socket.setEncoding("latin1");
  socket.on("data", (text) => {
    answer += text;
    if (isAnswered || !isWhole(answer)) return;
    isAnswered = true;
    answer = "";
    state.open += 1;
    settle();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    state.lost += 1;
    if (isAnswered) state.open -= 1;
    settle();
  });
  socket.write(request);
}

function settle() {
  openNext();
  if (isTold || state.open + state.lost < Number(count)) return;
  isTold = true;
  process.send(state);
}

function isWhole(answer) {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  return answer.length >= end + 4 + Number(/^content-length: *(\d+)/im.exec(answer)?.[1]);
}
