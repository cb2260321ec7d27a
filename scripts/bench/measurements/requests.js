/**
 * Requests a second, by wrk: as fast as answers come, so the figure is a ceiling and not a response time under some load.
 */
import { checkAnswers } from "../check-answers.js";
import { runWrk } from "../clients/wrk.js";
import { startMeter } from "../processor-time.js";
import { unlessDied } from "../server-process.js";

export const requests = {
  servers: "kept",
  columns: ["rate", "busy", "clientBusy", "capacity"],
  ratios: ["rate", "capacity"],
  turnSeconds: (seconds) => seconds + 0.3,

  /** @returns `{ kind: "right", load }` with the load for this very server, or `{ kind: "wrong", why }` */
  async prepare({ server, load }) {
    const answer = await unlessDied(server, checkAnswers(server.port, load));
    return answer.kind === "wrong" ? answer : { kind: "right", load: { ...load, fields: answer.fields } };
  },

  async measure({ server, load, cores, seconds }) {
    const stopMeter = startMeter(server, cores);
    const bodyBytes = load.revalidates ? 0 : load.documents[0].size;
    const counted = await unlessDied(server, runWrk({ port: server.port, load, cores, seconds, bodyBytes }));
    if (counted.kind === "void") return counted;
    const { processorSeconds, busy, others, clientBusy } = stopMeter(counted.seconds);
    if (processorSeconds === 0) return { kind: "void", why: "no processor time seen: the run was too short" };
    const figures = {
      rate: counted.requests / counted.seconds,
      capacity: counted.requests / processorSeconds,
      ...{ busy, others, clientBusy, p50: counted.p50, p99: counted.p99 },
    };
    return { kind: "counted", figures };
  },
};
