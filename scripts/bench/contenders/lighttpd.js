/**
 * lighttpd. It sends with sendfile and trusts what it knows of a file for a second, both by default.
 */
import { findVersion } from "./program.js";

/** The largest number these two settings can hold. */
const MOST = 65_535;

export const lighttpd = {
  name: "lighttpd",
  find: () => findVersion("lighttpd", ["-v"], /lighttpd\/(\S+)/),
  plan({ program, folder, docs, port, processes, log, connections, descriptors, idleSeconds }) {
    const lines = [
      `server.document-root = "${docs}"`,
      'server.bind = "127.0.0.1"',
      `server.port = ${port}`,
      `server.errorlog = "${folder}/error.log"`,
      'mimetype.assign = (".txt" => "text/plain")',
      `server.max-connections = ${connections + 500}`,
      `server.max-fds = ${descriptors}`,
      `server.max-keep-alive-requests = ${MOST}`,
      `server.max-keep-alive-idle = ${Math.min(idleSeconds, MOST)}`,
      "server.listen-backlog = 4096",
      // Without the setting it serves in its first process; with 1 a second one would only look on.
      ...(processes > 1 ? [`server.max-worker = ${processes}`] : []),
      ...(log === undefined ? [] : ['server.modules = ("mod_accesslog")', `accesslog.filename = "${log}"`]),
    ];
    return {
      command: [program, "-D", "-f", `${folder}/lighttpd.conf`],
      files: { "lighttpd.conf": `${lines.join("\n")}\n` },
    };
  },
};
