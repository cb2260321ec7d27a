/**
 * TLS handshakes, full or resumed, for each second of processor time the server used. The client has more to do for a
 * handshake than most servers, so how many there are in a second says little.
 */
import { checkAnswers } from "../check-answers.js";
import { runHandshakes } from "../clients/handshakes.js";
import { startMeter } from "../processor-time.js";
import { unlessDied } from "../server-process.js";

export const handshakes = {
  servers: "kept",
  columns: ["handshakeCapacity", "handshakes", "busy", "clientBusy"],
  ratios: ["handshakeCapacity"],
  turnSeconds: (seconds) => seconds + 0.5,
  // A second has a thousand handshakes: not enough for V8 to have compiled what they need.
  warmSeconds: 5,

  async prepare({ server, load }) {
    const answer = await unlessDied(server, checkAnswers(server.port, load));
    return answer.kind === "wrong" ? answer : { kind: "right", load };
  },

  async measure({ server, load, cores, seconds }) {
    const stopMeter = startMeter(server, cores);
    const counted = await unlessDied(server, runHandshakes({ port: server.port, load, cores, seconds }));
    if (counted.kind === "void") return counted;
    const { processorSeconds, busy, others, clientBusy } = stopMeter(counted.seconds);
    if (processorSeconds === 0) return { kind: "void", why: "no processor time seen: the run was too short" };
    const figures = {
      handshakeCapacity: counted.handshakes / processorSeconds,
      handshakes: counted.handshakes / counted.seconds,
      ...{ busy, others, clientBusy },
    };
    return { kind: "counted", figures };
  },
};
