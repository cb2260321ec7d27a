/**
 * hitch, the living successor of stud: it ends TLS and passes bytes on to a backend. It serves no files of its own.
 *
 * The sizes of its buffers are its defaults.
 */
import { findVersion } from "./program.js";

export const hitch = {
  name: "hitch",
  find: () => findVersion("hitch", ["--version"], /hitch (\S+)/),
  plan({ program, folder, port, backendPort, processes, certificate, isRoot }) {
    const lines = [
      `frontend = "[127.0.0.1]:${port}"`,
      `backend = "[127.0.0.1]:${backendPort}"`,
      `pem-file = "${certificate}"`,
      `workers = ${processes}`,
      "backlog = 4096",
      "tls-protos = TLSv1.2 TLSv1.3",
      // What Comanche chooses: the servers are compared, not the suites.
      'ciphersuites = "TLS_AES_128_GCM_SHA256"',
      // It logs each connection that ends otherwise than it expects.
      "log-level = 0",
      // It does not start as root unless it may become somebody else.
      ...(isRoot ? ['user = "nobody"'] : []),
    ];
    return {
      command: [program, `--config=${folder}/hitch.conf`],
      files: { "hitch.conf": `${lines.join("\n")}\n` },
    };
  },
};
