/**
 * Apache httpd with its event module: few processes with many threads, and kept connections cost no thread.
 */
import { existsSync } from "node:fs";
import { findVersion } from "./program.js";

const MODULES = "/usr/lib/apache2/modules";
/** It closes kept connections when every thread is at work, so there are more of them than connections that ask. */
const THREADS_PER_PROCESS = 256;

export const apache = {
  name: "apache",
  find() {
    if (!existsSync(MODULES)) return { kind: "missing", why: `no folder ${MODULES}` };
    return findVersion("apache2", ["-v"], /Apache\/(\S+)/);
  },
  plan({ program, folder, docs, port, processes, log, connections, idleSeconds }) {
    const lines = [
      ...["mpm_event", "authz_core", "mime", "dir"].map(
        (name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`,
      ),
      `ServerRoot ${folder}`,
      `DefaultRuntimeDir ${folder}`,
      `PidFile ${folder}/apache.pid`,
      `ErrorLog ${folder}/error.log`,
      "ServerName 127.0.0.1",
      `Listen 127.0.0.1:${port}`,
      "ListenBacklog 4096",
      // It refuses to serve as root.
      ...(process.getuid() === 0 ? ["User nobody", "Group nogroup"] : []),
      `ServerLimit ${processes}`,
      `StartServers ${processes}`,
      `ThreadLimit ${THREADS_PER_PROCESS}`,
      `ThreadsPerChild ${THREADS_PER_PROCESS}`,
      `MaxRequestWorkers ${processes * THREADS_PER_PROCESS}`,
      // Connections that wait are counted in threads.
      `AsyncRequestWorkerFactor ${Math.ceil(connections / THREADS_PER_PROCESS)}`,
      "KeepAlive On",
      "MaxKeepAliveRequests 0",
      `KeepAliveTimeout ${idleSeconds}`,
      // Off by default; on, it is the faster way to send large files.
      "EnableSendfile On",
      "TypesConfig /dev/null",
      "AddType text/plain .txt",
      ...(log === undefined
        ? []
        : [
            "BufferedLogs On",
            String.raw`LogFormat "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" combined`,
            `CustomLog ${log} combined`,
          ]),
      `DocumentRoot ${docs}`,
      `<Directory ${docs}>`,
      // Neither a look for .htaccess in each folder nor one for symbolic links in each part of a path.
      "  AllowOverride None",
      "  Options FollowSymLinks",
      "  Require all granted",
      "</Directory>",
    ];
    return {
      command: [program, "-d", folder, "-f", `${folder}/apache.conf`, "-DFOREGROUND"],
      files: { "apache.conf": `${lines.join("\n")}\n` },
    };
  },
};
