/**
 * A terminator's memory: a transfer each way with somebody at its end who reads slowly, and many connections that are silent.
 *
 *     node scripts/soak/terminator.js [connections]         10,000 by default
 *
 * The slow reader takes some megabytes and rests, so that the terminator has to hold back the other side again and again.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { HelperProcess } from "./helper-process.js";
import { Server } from "./server.js";
import { runTrial } from "./trial.js";

const MIB = 2 ** 20;
const TRANSFER_BYTES = 1024 * MIB;
const BURST_BYTES = 8 * MIB;
const REST_MS = 40;
const MAX_RESIDENT_MIB = 100;
const IDLE_PATIENCE_MS = 120_000;
const SETTLED_MS = 3000;

const PEM = fileURLToPath(new URL("../../test/keys/p256.pem", import.meta.url));
/** What is sent again and again. */
const BLOCK = randomBytes(MIB);

async function run(trial) {
  for (const direction of ["to the client", "to the backend"]) await transfer(trial, direction);
  await keepSilent(trial);
}

async function transfer(trial, direction) {
  const { check, figure } = trial;
  const isDown = direction === "to the client";
  let received;
  const backend = await listen(trial, (socket) => {
    if (isDown) socket.resume().once("data", () => send(socket));
    else received = receiveSlowly(socket);
  });
  const server = await Server.startTerminator(trial, ["--backend", `127.0.0.1,${backend.address().port}`, PEM]);
  const worker = server.processes().at(-1);
  figure("worker at rest", inMebibytes(residentOf(worker)));
  let highest = 0;
  const sampling = setInterval(() => {
    highest = Math.max(highest, residentOf(worker));
  }, 20);
  const began = performance.now();
  const client = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false, allowHalfOpen: true });
  await once(client, "secureConnect");
  if (isDown) {
    client.end("x");
    received = receiveSlowly(client);
  } else {
    const answered = once(client, "data");
    const sent = send(client);
    await answered;
    await sent;
  }
  const { length, digest } = await received;
  clearInterval(sampling);
  const seconds = (performance.now() - began) / 1000;
  check(
    `1 GiB ${direction}: all of it came`,
    length === TRANSFER_BYTES,
    `${length / MIB} MiB in ${seconds.toFixed(1)} s`,
  );
  check("as it was sent", digest === digestOfAll());
  check(`the worker never above ${MAX_RESIDENT_MIB} MiB resident`, highest < MAX_RESIDENT_MIB, inMebibytes(highest));
  client.destroy();
  const { status } = await server.stop();
  check("it stops with 0", status === 0, status);
  backend.close();
}

async function keepSilent(trial) {
  const { count = 10_000, check, figure } = trial;
  let arrived = 0;
  const backend = await listen(trial, (socket) => {
    socket.once("data", () => {
      arrived += 1;
      socket.write("y");
    });
    socket.once("end", () => socket.end());
  });
  // Each needs two descriptors, of which a process may have too few.
  const flags = ["--workers", "2", "--max-connections", String(2 * count)];
  const server = await Server.startTerminator(trial, [
    ...flags,
    "--backend",
    `127.0.0.1,${backend.address().port}`,
    PEM,
  ]);
  await sleep(SETTLED_MS);
  const before = sumOfWorkers(server);
  const clients = new HelperProcess("idle-tls-client.js", [server.port, count], trial);
  const deadline = performance.now() + IDLE_PATIENCE_MS;
  while (arrived < count && performance.now() < deadline) await sleep(100);
  await sleep(SETTLED_MS);
  const after = sumOfWorkers(server);
  const { answered, lost } = await clients.finish();
  check(`${count} silent connections are kept`, answered === count && lost === 0, `${answered} answered, ${lost} lost`);
  figure("workers at rest and with them", `${inMebibytes(before)} and ${inMebibytes(after)}`);
  figure("for each connection", `${(((after - before) * 1024) / count).toFixed(1)} KiB`);
  const { status } = await server.stop();
  check("it stops with 0", status === 0, status);
  backend.close();
}

async function listen({ defer }, onConnection) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  defer(() => server.close());
  return server;
}

async function send(socket) {
  for (let sent = 0; sent < TRANSFER_BYTES; sent += BLOCK.length) {
    if (!socket.write(BLOCK)) await once(socket, "drain");
  }
  socket.end();
}

/** Answers with one byte when all has come, where the other side waits for one. */
async function receiveSlowly(socket) {
  const hash = createHash("sha256");
  let length = 0;
  let burst = 0;
  // Else the end of the loop would be the end of the socket, both ways.
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    hash.update(chunk);
    length += chunk.length;
    burst += chunk.length;
    if (burst < BURST_BYTES) continue;
    burst = 0;
    await sleep(REST_MS);
  }
  socket.end("z");
  return { length, digest: hash.digest("hex") };
}

function digestOfAll() {
  const hash = createHash("sha256");
  for (let sent = 0; sent < TRANSFER_BYTES; sent += BLOCK.length) hash.update(BLOCK);
  return hash.digest("hex");
}

/** In MiB. */
function residentOf(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

function sumOfWorkers(server) {
  const [, ...workers] = server.processes();
  return workers.reduce((sum, pid) => sum + residentOf(pid), 0);
}

function inMebibytes(number) {
  return `${number.toFixed(0)} MiB`;
}

await runTrial("terminator: slow readers, and silent connections", 300, run);
