/**
 * Bytes a second of a large file, and the processor time a gigabyte costs the server.
 */
import { checkAnswers } from "../check-answers.js";
import { runDownloads } from "../clients/download.js";
import { startMeter } from "../processor-time.js";
import { unlessDied } from "../server-process.js";

const GIGABYTE = 1e9;

export const downloads = {
  servers: "kept",
  columns: ["throughput", "busy", "clientBusy", "secondsPerGigabyte"],
  ratios: ["throughput", "secondsPerGigabyte"],
  turnSeconds: (seconds) => seconds + 0.3,

  async prepare({ server, load }) {
    const answer = await unlessDied(server, checkAnswers(server.port, load));
    return answer.kind === "wrong" ? answer : { kind: "right", load };
  },

  async measure({ server, load, cores, seconds }) {
    const stopMeter = startMeter(server, cores);
    const counted = await unlessDied(server, runDownloads({ port: server.port, load, cores, seconds }));
    if (counted.kind === "void") return counted;
    const { processorSeconds, busy, others, clientBusy } = stopMeter(counted.seconds);
    if (counted.bytes === 0 || processorSeconds === 0) return { kind: "void", why: "too little came to be measured" };
    const figures = {
      throughput: counted.bytes / GIGABYTE / counted.seconds,
      secondsPerGigabyte: processorSeconds / (counted.bytes / GIGABYTE),
      ...{ busy, others, clientBusy },
    };
    return { kind: "counted", figures };
  },
};
