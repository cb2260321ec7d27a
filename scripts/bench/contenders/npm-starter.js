/**
 * Starts one file server from npm: `node npm-starter.js PACKAGE FOLDER DOCS PORT IDLE-SECONDS`, the package being
 * installed in FOLDER. Each in the configuration that its documentation gives for production, and with entity tags, as
 * every other contender sends them.
 */
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [name, folder, docs, port, idleSeconds] = process.argv.slice(2);
const installed = createRequire(join(folder, "package.json"));
const load = async (packageName) => {
  const module = await import(pathToFileURL(installed.resolve(packageName)).href);
  return module.default ?? module;
};

const makers = {
  /** Not in its development mode it lists the files once and never looks again. */
  async sirv() {
    const serve = (await load("sirv"))(docs, { dev: false, etag: true });
    return createServer((request, response) => serve(request, response));
  },
  async "serve-handler"() {
    const handler = await load("serve-handler");
    const options = { public: docs, etag: true, cleanUrls: false, directoryListing: false };
    return createServer((request, response) => handler(request, response, options));
  },
  async "http-server"() {
    const { createServer: create } = await load("http-server");
    return create({ root: docs, cache: -1, showDir: false, autoIndex: false }).server;
  },
  async "@fastify/static"() {
    const fastify = (await load("fastify"))({ logger: false });
    fastify.register(await load("@fastify/static"), { root: docs });
    await fastify.ready();
    return fastify.server;
  },
};

const server = await makers[name]();
server.keepAliveTimeout = Number(idleSeconds) * 1000;
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
