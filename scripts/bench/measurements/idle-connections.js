/**
 * Memory a waiting connection costs: what the server holds with all of them open, each having had one answer, less what it
 * held before, divided by their number. The kernel's part is not in it: that is the same for all servers.
 *
 * The server is warmed by ordinary load first. A runtime with a garbage collector grows its heap once, under whatever
 * load comes first, and that is no cost of connections; what it holds in all is given beside it.
 */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { checkAnswers } from "../check-answers.js";
import { spawnClient } from "../clients/client-process.js";
import { runWrk } from "../clients/wrk.js";
import { steadyMemory } from "../memory.js";
import { unlessDied } from "../server-process.js";

const CLIENT = fileURLToPath(new URL("../clients/idle-client.js", import.meta.url));
const WARM_CONNECTIONS = 64;
const WARM_SECONDS = 1;
const OPEN_LIMIT_MS = 60_000;

export const idleConnections = {
  servers: "fresh",
  columns: ["connectionKib", "mib"],
  ratios: ["connectionKib"],
  turnSeconds: () => 12,

  async measure({ start, load, cores }) {
    const server = await start();
    const answer = await unlessDied(server, checkAnswers(server.port, load));
    if (answer.kind === "wrong") return { kind: "void", why: answer.why };
    const warm = { path: load.path, connections: WARM_CONNECTIONS };
    const bodyBytes = load.documents[0].size;
    const order = { port: server.port, load: warm, cores, seconds: WARM_SECONDS, bodyBytes };
    const counted = await unlessDied(server, runWrk(order));
    if (counted.kind === "void") return counted;
    const before = await unlessDied(server, steadyMemory(server.pid));
    return holdAndLook({ server, load, cores, before });
  },
};

async function holdAndLook({ server, load, cores, before }) {
  const command = [process.execPath, CLIENT, server.port, load.path, load.connections];
  const client = spawnClient(cores, command, ["ignore", "inherit", "inherit", "ipc"]);
  const ended = once(client, "exit");
  try {
    const opened = await unlessDied(server, untilOpen(client));
    if (opened.open < load.connections) return { kind: "void", why: `opened ${describe(opened, load)}` };
    const held = await unlessDied(server, steadyMemory(server.pid));
    const afterwards = await unlessDied(server, count(client));
    if (afterwards.open < load.connections) return { kind: "void", why: `held ${describe(afterwards, load)}` };
    const connectionKib = (held.once - before.once) / 1024 / load.connections;
    return { kind: "counted", figures: { connectionKib, mib: held.once / 1024 / 1024 } };
  } finally {
    if (client.connected) client.disconnect();
    await ended;
  }
}

/** What the client has when it is done, or when it had time enough. */
async function untilOpen(client) {
  try {
    const [state] = await once(client, "message", { signal: AbortSignal.timeout(OPEN_LIMIT_MS) });
    return state;
  } catch {
    return count(client);
  }
}

async function count(client) {
  const answer = once(client, "message");
  client.send("count");
  const [state] = await answer;
  return state;
}

function describe({ open, lost }, { connections }) {
  return `${open} of ${connections} connections, ${lost} were lost`;
}
