/**
 * Who takes part in a row: a contender, in which variant, under which name in the table.
 */
export const entries = {
  nginx: entry("nginx"),
  nginxFileCache: entry("nginx", { fileCache: true }, "open_file_cache"),
  nginxPush: entry("nginx", { tcpNopush: false }, "tcp_nopush off"),
  nginxPushFileCache: entry("nginx", { tcpNopush: false, fileCache: true }, "nopush off, cache"),
  lighttpd: entry("lighttpd"),
  h2o: entry("h2o"),
  caddy: entry("caddy"),
  apache: entry("apache"),
  sirv: entry("sirv"),
  serveHandler: entry("serve-handler"),
  httpServer: entry("http-server"),
  fastifyStatic: entry("@fastify/static"),
  hitch: entry("hitch"),
  nginxProxy: entry("nginx", { proxy: true }, "proxy_pass"),
  comanche: entry("comanche"),
  comancheValid: entry("comanche", { cacheValid: "1s" }, "cache-valid 1s"),
  comancheTls: entry("comanche tls"),
};

function entry(contender, variant = {}, words = "") {
  return { contender, variant, label: words === "" ? contender : `${contender}, ${words}` };
}

/** The same with so many processes, which its name in the table then says. */
export function withProcesses(processes, { label, ...rest }) {
  return { ...rest, processes, label: `${label}, ${processes === 1 ? "1 process" : `${processes} processes`}` };
}

export const DEBIAN_SERVERS = [entries.nginx, entries.lighttpd, entries.h2o, entries.caddy, entries.apache];
