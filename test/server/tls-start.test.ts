/**
 * Starting with TLS settings and files that cannot be used: the command ends with status 1 and one sentence that names what
 * is wrong. What can be used but should not be is warned of.
 */
import assert from "node:assert/strict";
import { chmodSync, chownSync } from "node:fs";
import { test } from "node:test";
import { ComancheCommand, ordinaryUserCannotRun, ordinaryUserId } from "../support/comanche-command.ts";
import { type Entry, makeTree } from "../support/file-tree.ts";
import { formatConfiguration } from "../support/live-server.ts";
import { onlyRoot } from "../support/root.ts";
import { keyPath, readKey, startTls, TLS_SECTION, visit } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

interface Refused {
  readonly name: string;
  readonly configuration: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, Entry>>;
  /** All that is said, but for the name of the program. */
  readonly said: RegExp;
}

const REFUSED: readonly Refused[] = [
  {
    name: "a key of another certificate",
    configuration: { "tls-cert": keyPath("wrong-key.pem") },
    said: /\/wrong-key\.pem: the key does not belong to the certificate$/,
  },
  {
    name: "a key of another certificate, in a file of its own",
    configuration: { "tls-key": keyPath("rsa.pem") },
    said: /\/rsa\.pem: the key does not belong to the certificate$/,
  },
  {
    name: "no key in the file",
    configuration: { "tls-cert": keyPath("ca.pem") },
    said: /\/ca\.pem: no private key found \(-----BEGIN PRIVATE KEY-----\); name a separate key file with tls-key$/,
  },
  {
    name: "no certificate in the file",
    configuration: { "tls-cert": keyPath("ffdhe2048.pem") },
    said: /\/ffdhe2048\.pem: no certificate found \(-----BEGIN CERTIFICATE-----\)$/,
  },
  {
    name: "an empty file",
    configuration: { "tls-cert": "empty.pem" },
    files: { "empty.pem": "" },
    said: /\/empty\.pem: no certificate found/,
  },
  { name: "no file", configuration: { "tls-cert": "gone.pem" }, said: /cannot read \S+\/gone\.pem: no such file/ },
  { name: "no key file", configuration: { "tls-key": "gone.key" }, said: /cannot read \S+\/gone\.key: no such file/ },
  { name: "a folder for a file", configuration: { "tls-cert": "htdocs" }, said: /\/htdocs: is no file$/ },
  { name: "no tls-dir", configuration: { "tls-dir": "gone" }, said: /cannot read tls-dir \S+\/gone: no such file/ },
  {
    name: "nothing in tls-dir",
    configuration: { "tls-cert": "", "tls-dir": "htdocs" },
    said: /tls-dir \S+\/htdocs: no \*\.pem file found$/,
  },
  {
    name: "one file of tls-dir without a key",
    configuration: { "tls-dir": "certificates" },
    files: { "certificates/a.pem": readKey("rsa.pem"), "certificates/b.pem": readKey("ca.pem") },
    said: /\/certificates\/b\.pem: no private key found/,
  },
  {
    name: "tls-ticket-keys that are too short",
    configuration: { "tls-ticket-keys": "ticket.key" },
    files: { "ticket.key": "x".repeat(47) },
    said: /\/ticket\.key: has 47 bytes: expected 48, made with openssl rand -out FILE 48$/,
  },
  {
    name: "tls-client-ca without a certificate",
    configuration: { "tls-client-ca": keyPath("ffdhe2048.pem") },
    said: /\/ffdhe2048\.pem: no certificate found: expected those of tls-client-ca$/,
  },
  {
    name: "an unknown cipher",
    configuration: { "tls-ciphers": "NO-SUCH-CIPHER" },
    said: /: tls-ciphers: OpenSSL knows no NO-SUCH-CIPHER$/,
  },
  {
    name: "no certificate at all",
    configuration: { "tls-cert": "" },
    said: /tls-port = 0: needs a certificate: expected tls-cert or tls-dir$/,
  },
  {
    name: "an old version",
    configuration: { "tls-min-version": "1.1" },
    said: /tls-min-version = 1\.1: expected one of 1\.2, 1\.3/,
  },
];

/** Starts it, though it should not. */
async function tryToStart(t: Parameters<typeof makeTree>[0], each: Omit<Refused, "said" | "name">, userId?: number) {
  const section = { ...TLS_SECTION, processes: "1", ...each.configuration };
  const configuration = Object.fromEntries(Object.entries(section).filter(([, value]) => value !== ""));
  const files = { "htdocs/small.txt": "small", ...each.files, "comanche.conf": formatConfiguration(configuration) };
  const top = makeTree(t, files);
  if (userId !== undefined) {
    chmodSync(`${top}/secret.pem`, 0o600);
    chmodSync(top, 0o755);
    chownSync(top, userId, userId);
  }
  const args = ["-d", "-c", "comanche.conf"];
  const command = new ComancheCommand(args, { cwd: top, ...(userId === undefined ? {} : { userId }) });
  t.after(() => void command.kill());
  const late = setTimeout(() => command.signal("SIGTERM"), 60_000);
  return command.end.finally(() => clearTimeout(late));
}

for (const { name, said, ...each } of REFUSED) {
  test(`a start that is refused: ${name}`, async (t) => {
    const { status, standardOutput, standardError } = await tryToStart(t, each);
    const lines = standardError.trimEnd().split("\n");
    assert.deepEqual([status, standardOutput, lines.length], [1, "", 1], standardError + standardOutput);
    assert.match(lines[0] ?? "", said);
    assert.doesNotMatch(standardError, /:error:|\.c:\d+|^ +at /m);
  });
}

test("a start that is refused: a key that only root can read, without root", {
  skip: onlyRoot || ordinaryUserCannotRun,
}, async (t) => {
  const files = { "secret.pem": readKey("p256.pem") };
  const secret = { configuration: { "tls-cert": "secret.pem" }, files };
  const { status, standardError } = await tryToStart(t, secret, ordinaryUserId);
  assert.equal(status, 1);
  const want = /cannot read \S+\/secret\.pem: permission denied; start the server with an account that may read it\n$/;
  assert.match(standardError, want);
});

test("settings of TLS without tls-port are refused", async (t) => {
  const { status, standardError } = await tryToStart(t, { configuration: { "tls-port": "" } });
  assert.equal(status, 1);
  assert.match(standardError, /tls-cert = .*: has no effect without tls-port$/m);
});

const WARNED: readonly [name: string, warning: RegExp][] = [
  ["expired", /warning: \S+\/expired\.pem: the certificate expired on Jan {2}1 00:00:00 2021 GMT: clients reject it$/m],
  [
    "future",
    /warning: \S+\/future\.pem: the certificate is not valid before Jan {2}1 00:00:00 2119 GMT: clients reject /m,
  ],
];

for (const [name, warning] of WARNED) {
  test(`a certificate out of its time is warned of, and shown: ${name}`, async (t) => {
    const { tlsPort, server } = await startTls(t, { configuration: { "tls-cert": keyPath(`${name}.pem`) } });
    await until("it is warned of", () => warning.test(server.events), { facts: () => server.events });
    const shown = await visit(tlsPort);
    assert.deepEqual([shown.name, shown.isTrusted, shown.status], [name, false, 200]);
  });
}

test("nobody is warned of a certificate that holds", async (t) => {
  const { server, tlsPort } = await startTls(t);
  await visit(tlsPort);
  assert.equal((await server.stop()).status, 0);
  assert.doesNotMatch(server.events, /certificate/);
});
