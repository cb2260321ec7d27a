/**
 * Caddy: HTTP/1.1 alone, no administration port, no certificates. Its Go runtime takes one thread for each core that
 * `processes` says.
 *
 * It has no combined log format, so in rows with a log it writes its own JSON lines, which hold more.
 */
import { findVersion } from "./program.js";

export const caddy = {
  name: "caddy",
  find: () => findVersion("caddy", ["version"], /^v?(\d\S*)/m),
  plan({ program, folder, docs, port, processes, log, idleSeconds }) {
    const server = {
      listen: [`127.0.0.1:${port}`],
      protocols: ["h1"],
      automatic_https: { disable: true },
      idle_timeout: `${idleSeconds}s`,
      routes: [{ handle: [{ handler: "file_server", root: docs }] }],
      ...(log === undefined ? {} : { logs: { default_logger_name: "access" } }),
    };
    const access = {
      writer: { output: "file", filename: log, roll: false },
      include: ["http.log.access"],
    };
    const logs = { default: { level: "ERROR" }, ...(log === undefined ? {} : { access }) };
    const settings = {
      admin: { disabled: true, config: { persist: false } },
      logging: { logs },
      apps: { http: { servers: { bench: server } } },
    };
    return {
      command: [program, "run", "--config", `${folder}/caddy.json`],
      files: { "caddy.json": `${JSON.stringify(settings, null, 2)}\n` },
      // It writes into the user's folders otherwise.
      environment: { GOMAXPROCS: String(processes), XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder },
    };
  },
};
