import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { servesSites } from "../../src/config/settings.ts";
import { parseTerminatorArgv, settingsOfTerminator } from "../../src/config/terminator-argv.ts";
import { faultLines, loadText, settingsOf } from "./fake-disk.ts";

const terminatorsIn = (text: string) => settingsOf(loadText(text)).terminators;
const faults = (text: string) => faultLines(loadText(text));

test("a section [TLS terminator NAME] has the options of comanche tls, and its name in any case", () => {
  const [[name, shop] = []] = terminatorsIn(
    "[tls  Terminator Shop]\npem = a.pem, b.pem\nfrontend = [::1]:443\nbackend = unix:/run/x\nwrite-proxy-v2 = yes\nalpn = h2",
  );
  assert.equal(name, "shop");
  assert.deepEqual(shop?.pemFiles, ["/home/me/a.pem", "/home/me/b.pem"]);
  assert.deepEqual(shop?.frontend, { address: { kind: "ip", family: 6, address: "::1" }, port: 443 });
  assert.deepEqual(shop?.backend, { kind: "unix", path: "/run/x" });
  assert.equal(shop?.announcement, "proxy-v2");
  assert.deepEqual(shop?.alpn, ["h2"]);
});

test("several sections are several terminators beside the sites", () => {
  const text = "[TLS terminator a]\npem = a\n[TLS terminator b]\npem = b\n";
  const settings = settingsOf(loadText(text));
  assert.deepEqual([...settings.terminators.keys()], ["a", "b"]);
  assert.ok(servesSites(settings));
});

test("[DEFAULT] speaks for terminators too, as far as they have the option", () => {
  const text =
    "[DEFAULT]\nbacklog = 7\nlisting = no\n[TLS terminator a]\npem = a\n[TLS terminator b]\npem = b\nbacklog = 8";
  assert.deepEqual(
    [...terminatorsIn(text).values()].map(({ backlog }) => backlog),
    [7, 8],
  );
});

test("address = no: no site is served, and limits of sites limit nothing else", () => {
  const lines = "address = no\nprocesses = 3\nworkers = 2\nmax-connections = 2";
  assert.equal(servesSites(settingsOf(loadText(`[main]\n${lines}\n[TLS terminator a]\npem = a`))), false);
});

const faultCases: [name: string, text: string, want: readonly string[]][] = [
  [
    "no certificate",
    "[TLS terminator a]\nfrontend = *,443",
    ["test.conf:1: [TLS terminator a] pem: expected a PEM file with certificates and key"],
  ],
  [
    "a value that cannot be read",
    "[TLS terminator a]\npem = a\nbackend = *,80",
    [
      "test.conf:3: [TLS terminator a] backend = *,80: expected HOST,PORT, [HOST]:PORT or unix:/path, such as 127.0.0.1,8000; * is no address to connect to",
    ],
  ],
  [
    "two announcements",
    "[TLS terminator a]\npem = a\nwrite-ip = yes\nwrite-proxy = yes",
    [
      "test.conf:3: [TLS terminator a] write-ip = yes: write-ip and write-proxy exclude each other: expected only one of them",
    ],
  ],
  [
    "an option that is near one of a terminator",
    "[TLS terminator a]\npem = a\nfrontent = *,443",
    ["test.conf:3: [TLS terminator a] frontent = *,443: unknown option (did you mean frontend?)"],
  ],
  [
    "an option of the server",
    "[TLS terminator a]\npem = a\nuser = www",
    ["test.conf:3: [TLS terminator a] user = www: is an option of the whole server: expected it in [main]"],
  ],
  [
    "an option of a terminator elsewhere",
    "[main]\nfrontend = *,443",
    ["test.conf:2: [main] frontend = *,443: is an option of a terminator: expected it in [TLS terminator NAME]"],
  ],
  [
    "no name",
    "[TLS terminator]\npem = a",
    ["test.conf:1: [TLS terminator]: expected a name of letters, digits, dots and dashes after TLS terminator"],
  ],
  [
    "a name twice",
    "[TLS terminator a]\npem = a\n[TLS terminator A]\npem = a",
    ["test.conf:3: [TLS terminator A]: is the same section as [TLS terminator a] at line 1: expected it once"],
  ],
  [
    "what only HTTPS clients could feel, with client",
    "[TLS terminator a]\nclient = yes\ntls-sni-strict = yes\ntls-dir = d\ntls-handshakes = 9",
    [
      "test.conf:3: [TLS terminator a] tls-sni-strict = yes: has no effect with client: clients come without TLS",
      "test.conf:4: [TLS terminator a] tls-dir = d: has no effect with client: clients come without TLS",
      "test.conf:5: [TLS terminator a] tls-handshakes = 9: has no effect with client: clients come without TLS",
    ],
  ],
  [
    "two certificates for one backend",
    "[TLS terminator a]\nclient = yes\npem = a, b",
    [
      "test.conf:3: [TLS terminator a] pem = a, b: with client: expected at most one PEM file, the client certificate for the backend",
    ],
  ],
  [
    "who verifies a backend that speaks plain",
    "[TLS terminator a]\npem = a\nbackend-ca = ca",
    [
      "test.conf:3: [TLS terminator a] backend-ca = ca: has no effect without client: the connection to the backend is not encrypted",
    ],
  ],
  [
    "trust that nobody asks for",
    "[TLS terminator a]\npem = a\ntrusted-proxies = 10.0.0.0/8\ntls-client-verify = optional",
    [
      "test.conf:3: [TLS terminator a] trusted-proxies = 10.0.0.0/8: has no effect without proxy-proxy",
      "test.conf:4: [TLS terminator a] tls-client-verify = optional: has no effect without tls-client-ca",
    ],
  ],
  [
    "nothing to do at all",
    "[main]\naddress = no",
    [
      "test.conf:2: [main] address = no: leaves nothing to serve: expected a section [TLS terminator NAME], or an address",
    ],
  ],
];
for (const [name, text, want] of faultCases) {
  test(`[TLS terminator NAME]: ${name}`, () => assert.deepEqual(faults(text), want));
}

test("settingsOfTerminator: comanche tls is a server without a site", () => {
  const parsed = parseTerminatorArgv(["-n", "2", "-u", "nobody", "--grace=1s", "a.pem"], absolutePath("/k"));
  assert.ok(parsed.kind === "settings");
  const settings = settingsOfTerminator(parsed.terminator, parsed.process);
  assert.equal(servesSites(settings), false);
  assert.deepEqual([...settings.terminators.values()], [parsed.terminator]);
  const { processes, user, grace, daemon, logfile } = settings.server;
  assert.deepEqual([processes, user, grace, daemon, logfile], [2, "nobody", 1000, false, "/dev/null"]);
});
