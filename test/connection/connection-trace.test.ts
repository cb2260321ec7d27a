import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionRig, echoPath, get, type Handler, post, textPlan } from "../support/connection-rig.ts";

const PEER = "192.0.2.7:54321";

const missing: Handler = ({ head }, writer) => {
  void writer.send(textPlan(head.path, 404));
};
const noBody: Handler = (_, writer) => {
  void writer.send({ status: 200, fields: [], body: { kind: "none" } });
};

const OPENED = `connection opened: ${PEER}`;
const transfer = (path: string): string[] => [
  `transfer started: ${path}, ${path.length} bytes to ${PEER}`,
  `transfer completed: ${path}, ${path.length} bytes to ${PEER}`,
];
const closing = (cause: string): string => `closing persistent connection: ${PEER}, ${cause}`;
const timedOut = (waiting: string): string => `connection timed out: ${PEER}, ${waiting}`;

type Act = (rig: ConnectionRig) => Promise<unknown>;
const send =
  (text: string): Act =>
  (rig) =>
    rig.exchange(text);
const pass =
  (time: number): Act =>
  (rig) =>
    rig.pass(time);
const halfClose: Act = async (rig) => {
  rig.transport.halfClose();
  await rig.pass(0);
};
const drain: Act = async (rig) => {
  rig.phase = "stopping";
  rig.connection.drain();
};

const conversations: [name: string, handler: Handler, acts: Act[], want: string[]][] = [
  [
    "a request, and idleness after it",
    echoPath,
    [send(get("/a")), pass(4000)],
    [...transfer("/a"), timedOut("no request"), closing("idle")],
  ],
  ["a client that never asks", echoPath, [pass(10_000)], [timedOut("no request")]],
  ["half a head", echoPath, [send("GET / HT"), pass(10_000)], [timedOut("half a request head")]],
  [
    "half a body",
    async ({ body }, writer) => {
      await body?.read();
      await body?.read();
      await writer.send(textPlan("late", 408));
    },
    [send(post("/b", "12345").slice(0, -1)), pass(20_000)],
    [timedOut("half a request body"), closing("a request body was left unread")],
  ],
  [
    "the client asks for the end",
    echoPath,
    [send(get("/a", "Connection: close"))],
    [...transfer("/a"), closing("as the client asked")],
  ],
  [
    "the client closes its side",
    echoPath,
    [send(get("/a")), halfClose],
    [...transfer("/a"), closing("the client closed its side")],
  ],
  [
    "the third request is the last",
    echoPath,
    [send(get("/a") + get("/b") + get("/c"))],
    [...transfer("/a"), ...transfer("/b"), ...transfer("/c"), closing("limit of requests reached")],
  ],
  ["the server stops", echoPath, [send(get("/a")), drain], [...transfer("/a"), closing("the server is stopping")]],
  ["a refusal is no transfer, and nothing that was kept is closed", echoPath, [send("nonsense\r\n\r\n")], []],
  ["an error page is no transfer", missing, [send(get("/a"))], []],
  ["an answer without a body is no transfer", noBody, [send(get("/a"))], []],
];
for (const [name, handler, acts, want] of conversations) {
  test(`ConnectionTrace: ${name}`, async () => {
    const told: string[] = [];
    const rig = new ConnectionRig(handler, { keepaliveRequests: 3 }, (text) => told.push(text));
    for (const act of acts) await act(rig);
    assert.deepEqual(told, [OPENED, ...want]);
  });
}

test("ConnectionTrace: a transfer that breaks off says how far it came", async () => {
  const told: string[] = [];
  const rig = new ConnectionRig(echoPath, {}, (text) => told.push(text));
  rig.transport.room = 100;
  await rig.exchange(get(`/${"x".repeat(99)}`));
  rig.transport.vanish();
  await rig.pass(0);
  assert.match(told.at(-1) ?? "", /^transfer broken off: \/x+, \d+ bytes to 192\.0\.2\.7:54321$/);
});

test("ConnectionTrace: a client that takes nothing", async () => {
  const told: string[] = [];
  const rig = new ConnectionRig(echoPath, {}, (text) => told.push(text));
  rig.transport.room = 0;
  await rig.exchange(get("/a"));
  await rig.pass(30_000);
  assert.deepEqual(told.slice(2), [
    timedOut("the client takes nothing"),
    `transfer broken off: /a, 0 bytes to ${PEER}`,
  ]);
});
