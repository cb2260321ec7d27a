/**
 * h2o, which serves in threads: as many as others have processes.
 */
import { findVersion } from "./program.js";

export const h2o = {
  name: "h2o",
  find: () => findVersion("h2o", ["-v"], /h2o version (\S+)/),
  plan({ program, folder, docs, port, processes, log, connections, idleSeconds }) {
    const lines = [
      `num-threads: ${processes}`,
      `max-connections: ${connections + 500}`,
      // It would give up being root before it opens its log.
      ...(process.getuid() === 0 ? ["user: root"] : []),
      `http1-request-timeout: ${idleSeconds}`,
      "listen:",
      "  host: 127.0.0.1",
      `  port: ${port}`,
      ...(log === undefined ? [] : [`access-log: ${log}`]),
      "hosts:",
      "  default:",
      "    paths:",
      "      /:",
      `        file.dir: ${docs}`,
    ];
    return {
      command: [program, "-m", "worker", "-c", `${folder}/h2o.yaml`],
      files: { "h2o.yaml": `${lines.join("\n")}\n` },
    };
  },
};
