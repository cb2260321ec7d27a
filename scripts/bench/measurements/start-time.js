/**
 * Time from the command to the first byte of an answer: the server is started, and a client tries to connect all the
 * while, once a millisecond.
 */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { checkAnswers } from "../check-answers.js";
import { HOST, unlessDied } from "../server-process.js";

const TRY_EVERY_MS = 1;

export const startTime = {
  servers: "fresh",
  columns: ["milliseconds"],
  ratios: [],
  turnSeconds: () => 1,

  async measure({ spawn, load }) {
    const server = await spawn();
    const arrived = await unlessDied(server, firstByte(server.port, load.path));
    const answer = await unlessDied(server, checkAnswers(server.port, load));
    if (answer.kind === "wrong") return { kind: "void", why: answer.why };
    return { kind: "counted", figures: { milliseconds: arrived - server.began } };
  },
};

/** @returns when the first byte came, as `performance.now` counts */
async function firstByte(port, path) {
  for (;;) {
    const arrived = await tryOnce(port, path);
    if (arrived !== undefined) return arrived;
    await sleep(TRY_EVERY_MS);
  }
}

function tryOnce(port, path) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: HOST });
    socket.once("connect", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n`));
    socket.once("data", () => {
      resolve(performance.now());
      socket.destroy();
    });
    socket.once("error", () => resolve(undefined));
    socket.once("close", () => resolve(undefined));
  });
}
