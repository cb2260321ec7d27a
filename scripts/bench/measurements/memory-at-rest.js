/**
 * Memory of a server at rest: when it has answered one request and changes no more.
 */
import { checkAnswers } from "../check-answers.js";
import { steadyMemory } from "../memory.js";
import { unlessDied } from "../server-process.js";

const MIB = 1024 * 1024;

export const memoryAtRest = {
  servers: "fresh",
  columns: ["mib", "residentMib"],
  ratios: [],
  turnSeconds: () => 3,

  async measure({ start, load }) {
    const server = await start();
    const answer = await unlessDied(server, checkAnswers(server.port, load));
    if (answer.kind === "wrong") return { kind: "void", why: answer.why };
    const { once, resident } = await unlessDied(server, steadyMemory(server.pid));
    return { kind: "counted", figures: { mib: once / MIB, residentMib: resident / MIB } };
  },
};
