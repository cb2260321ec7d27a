/**
 * More clients than `max-connections`: each is answered, and those that are served notice nothing.
 *
 *     node scripts/soak/refused-clients.js [clients]   2000 by default
 */
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { startNginx } from "./nginx.js";
import { Server } from "./server.js";
import { runTrial, tally } from "./trial.js";

const SERVED = 20;
const AT_ONCE = 200;
const ONE_REFUSAL = /^HTTP\/1\.1 503 [^\r]*\r\n(?:[^\r]+\r\n)*\r\n/;

async function run(trial) {
  const { count = 2000, htdocs, check, figure } = trial;
  writeFileSync(join(htdocs, "small.txt"), "x".repeat(1024));
  const flags = ["--max-connections", SERVED, "--processes", 1, "--timeout", 60];
  const server = await Server.start(trial, { flags: flags.map(String) });
  const nginx = await startNginx(trial, SERVED);

  const places = await Promise.all(Array.from({ length: SERVED }, () => Client.connect(server.port)));
  for (const place of places) await place.exchange({ path: "/small.txt" });
  const refused = await askAll(server.port, count);
  const seen = tally(refused.map(describeAnswer));
  check(`each of ${count} gets one 503 and a close`, seen === `${count} × one 503, then end`, seen);
  const answers = await Promise.all(places.map((place) => place.exchange({ path: "/small.txt" })));
  const served = answers.filter(({ status }) => status === 200).length;
  check("those that have a place are served on", served === SERVED, `${served} of ${SERVED}`);
  for (const place of places) place.close();
  await sleep(11_000);
  const events = server.output.split("\n").filter((line) => line.includes("max-connections"));
  const isTold = events.length >= 2 && events.at(-1)?.endsWith(`answered 503 meanwhile: ${count}`);
  check("events tell the beginning and the number", isTold, `${events.length} lines`);
  const { status } = await server.stop();
  check("the server stops with 0", status === 0, status);

  if (nginx === undefined) return;
  const held = await Promise.all(Array.from({ length: 2 * SERVED }, () => Client.connect(nginx)));
  figure("nginx beyond worker_connections", tally((await askAll(nginx, AT_ONCE)).map(describeAnswer)));
  for (const client of held) client.close();
}

async function askAll(port, count) {
  const answers = [];
  for (let begun = 0; begun < count; begun += AT_ONCE) {
    const some = Math.min(AT_ONCE, count - begun);
    answers.push(...(await Promise.all(Array.from({ length: some }, () => ask(port)))));
  }
  return answers;
}

/** Everything a client gets, and how its connection ends. */
function ask(port) {
  return new Promise((resolve) => {
    let text = "";
    let end = "end";
    const socket = connect({ port, host: "127.0.0.1" });
    socket.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
    });
    socket.once("error", ({ code }) => {
      end = code;
    });
    socket.once("close", () => resolve({ text, end }));
    socket.write("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.setTimeout(10_000, () => socket.destroy(Object.assign(new Error("late"), { code: "no end" })));
  });
}

function describeAnswer({ text, end }) {
  const head = ONE_REFUSAL.exec(text)?.[0];
  if (head === undefined) return `${text === "" ? "nothing" : text.slice(0, 12)}, then ${end}`;
  const isWhole = text.length === head.length + Number(/^content-length: (\d+)/im.exec(head)?.[1]);
  const isRight = isWhole && /^connection: close/im.test(head) && /^retry-after: \d/im.test(head);
  return `${isRight ? "one 503" : "a wrong 503"}, then ${end}`;
}

await runTrial("more clients than max-connections", 120, run);
