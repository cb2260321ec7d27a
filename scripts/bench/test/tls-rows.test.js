/**
 * The rows of TLS: who is told what, and how the report compares them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeCounts } from "../clients/counting-client.js";
import { comancheTls } from "../contenders/comanche-tls.js";
import { hitch } from "../contenders/hitch.js";
import { nginx } from "../contenders/nginx.js";
import { entriesOf } from "../contenders.js";
import { planPanels } from "../report/panels.js";
import { formatRow } from "../report/table.js";
import { baselinesOf, chooseRows } from "../rows.js";

const ORDER = {
  program: "/usr/sbin/program",
  folder: "/run",
  docs: "/docs",
  port: 1443,
  backendPort: 1080,
  processes: 1,
  certificate: "/keys/p256.pem",
  isRoot: false,
  variant: {},
  connections: 64,
  descriptors: 1000,
  idleSeconds: 60,
};

const lines = [
  ["hitch goes to the backend", hitch, {}, 'backend = "[127.0.0.1]:1080"', true],
  ["hitch keeps its user", hitch, {}, "user =", false],
  ["hitch does not stay root", hitch, { isRoot: true }, 'user = "nobody"', true],
  ["nginx serves files", nginx, {}, "proxy_pass", false],
  ["nginx as a proxy goes to the backend", nginx, { variant: { proxy: true } }, "server 127.0.0.1:1080;", true],
  ["nginx has the same suite", nginx, {}, "Ciphersuites TLS_AES_128_GCM_SHA256", true],
  ["nginx without TLS is told nothing of it", nginx, { certificate: undefined }, "ssl", false],
];
for (const [name, contender, changes, words, want] of lines) {
  test(`plan: ${name}`, () => {
    const text = Object.values(contender.plan({ ...ORDER, ...changes }).files)[0];
    assert.equal(text.includes(words), want, text);
  });
}

test("plan: comanche tls has its PEM file last", () => {
  const { command } = comancheTls("comanche tls", "/dist").plan(ORDER);
  assert.deepEqual(command.slice(0, 7), [
    ORDER.program,
    "/dist/src/main.js",
    "tls",
    ...["--frontend", "127.0.0.1,1443"],
    ...["--backend", "127.0.0.1,1080"],
  ]);
  assert.equal(command.at(-1), ORDER.certificate);
});

const counts = [
  ["no fault", '{"handshakes":3,"seconds":1,"faults":[]}\n', { kind: "counted", handshakes: 3, seconds: 1 }],
  ["the first fault", '{"handshakes":3,"seconds":1,"faults":["a\\n","b"]}\n', { kind: "void", why: "a" }],
];
for (const [name, output, want] of counts) {
  test(`judgeCounts: ${name}`, () => assert.deepEqual(judgeCounts("client.js", output), want));
}
test("judgeCounts: nothing", () =>
  assert.throws(() => judgeCounts("client.js", ""), /client\.js ended without a count/));

const words = [
  ["tls-full", ["1.2", "1.3"].flatMap((version) => ["p256", "rsa"].map((key) => `tls-full-${key}-${version}`))],
  ["tls-terminator", ["tls-terminator-1k", "tls-terminator-100m"]],
];
for (const [word, want] of words) {
  test(`chooseRows: ${word}`, () => {
    const names = chooseRows([word]).rows.map(({ name }) => name);
    assert.deepEqual(names, want);
  });
}

test("entriesOf: an earlier build stands behind the build, the terminator too", () => {
  const found = { kind: "found" };
  const one = { contender: {}, found };
  const [row] = chooseRows(["tls-full-p256-1.2"]).rows;
  const names = ["comanche", "comanche, earlier", "comanche tls", "comanche tls, earlier", "nginx", "hitch"];
  const { present } = entriesOf(row, new Map(names.map((name) => [name, one])));
  const labels = present.map(({ label }) => label);
  assert.deepEqual(labels, [
    ...["comanche", "comanche, earlier", "nginx", "hitch"],
    ...["comanche tls", "comanche tls, earlier"],
  ]);
});

const counted = (label, handshakeCapacity) => {
  const figures = { handshakeCapacity, handshakes: 100, busy: 0.5, others: 0, clientBusy: 1 };
  return { label, kind: "counted", rounds: [figures], turns: [1] };
};
const measured = {
  row: chooseRows(["tls-full-p256-1.3"]).rows[0],
  cores: { kind: "apart", server: [0], client: [1] },
  results: [counted("comanche", 300), counted("nginx", 400), counted("hitch", 200)],
  missing: [],
};

test("formatRow: each baseline has its column", () => {
  const line = formatRow(measured)
    .split("\n")
    .find((text) => text.startsWith("  comanche"));
  assert.match(line, / 0\.75 \(.*\) +1\.50 \(/);
});

test("formatRow: an absent baseline has none", () => {
  const text = formatRow({ ...measured, results: measured.results.slice(0, 2) });
  assert.match(text, /× nginx/);
  assert.doesNotMatch(text, /× hitch/);
});

test("planPanels: the first baseline is the measure", () => {
  const [nginxFirst] = planPanels([measured]);
  assert.match(nginxFirst.unit, /nginx = 1 = 400$/);
  const [hitchFirst] = planPanels([{ ...measured, row: { ...measured.row, baselines: ["hitch"] } }]);
  assert.match(hitchFirst.unit, /hitch = 1 = 200$/);
  const kinds = hitchFirst.bars.map(({ label, kind }) => [label, kind]);
  assert.deepEqual(kinds, [
    ["nginx", "rival"],
    ["comanche", "ours"],
    ["hitch", "baseline"],
  ]);
});

test("baselinesOf: nginx unless a row says otherwise", () => {
  assert.deepEqual(baselinesOf({}), ["nginx"]);
  assert.deepEqual(baselinesOf({ baselines: ["hitch"] }), ["hitch"]);
});
