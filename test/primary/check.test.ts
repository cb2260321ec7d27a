import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { StartupError } from "../../src/base/errors.ts";
import { checkSettings } from "../../src/primary/check.ts";
import { makeTree } from "../support/file-tree.ts";
import { settingsFrom } from "../support/settings-from.ts";
import { keyPath } from "../support/tls-client.ts";

/** A folder with these files of the test keys. */
function makeKeys(t: TestContext, files: readonly string[]): AbsolutePath {
  const top = makeTree(t);
  for (const file of files) copyFileSync(keyPath(file), join(top, file));
  return top;
}

const HERE = "address = 127.0.0.1\nport = 0\n";
const terminator = (lines: string) => `[TLS terminator x]\nfrontend = 127.0.0.1,0\nbackend = 127.0.0.1,8000\n${lines}`;

/** @returns what the operator is told, but for a root that the tests may be run as */
async function tryText(top: AbsolutePath, text: string): Promise<readonly string[]> {
  const lines = await checkSettings(settingsFrom(top, text));
  return lines.filter((line) => !/processes run as root/.test(line)).map((line) => line.replaceAll(top, "TOP"));
}

const good: [name: string, files: string[], text: string, want: readonly string[]][] = [
  ["no TLS at all", [], `[main]\n${HERE}`, ["the configuration is valid: no certificate"]],
  [
    "HTTPS and a terminator",
    ["p256.pem", "rsa.pem"],
    `[main]\n${HERE}tls-port = 0\ntls-cert = p256.pem\n${terminator("pem = rsa.pem")}`,
    ["the configuration is valid: certificates in TOP/p256.pem, TOP/rsa.pem"],
  ],
  [
    "a client of TLS without a certificate",
    ["ca.pem"],
    `[main]\naddress = no\n${terminator("client = yes\nbackend-ca = ca.pem")}`,
    ["the configuration is valid: certificates in TOP/ca.pem"],
  ],
];
for (const [name, files, text, want] of good) {
  test(`trySettings: ${name}`, async (t) => assert.deepEqual(await tryText(makeKeys(t, files), text), want));
}

test("trySettings: a certificate that has expired is good, and told of", async (t) => {
  const [warning = "", ...others] = await tryText(makeKeys(t, ["expired.pem"]), terminator("pem = expired.pem"));
  assert.match(warning, /^TOP\/expired\.pem: the certificate expired on .*: clients reject it$/);
  assert.deepEqual(others, ["the configuration is valid: certificates in TOP/expired.pem"]);
});

const bad: [name: string, files: string[], text: string, want: RegExp][] = [
  ["a file that is missing", [], terminator("pem = gone.pem"), /^cannot read .*\/gone\.pem: /],
  [
    "a key of another certificate",
    ["wrong-key.pem"],
    terminator("pem = wrong-key.pem"),
    /wrong-key\.pem: the key does/,
  ],
  [
    "ciphers that OpenSSL does not know",
    ["p256.pem"],
    terminator("pem = p256.pem\nciphers = NO-SUCH-CIPHER"),
    /^\[TLS terminator x\]: ciphers: OpenSSL knows no NO-SUCH-CIPHER$/,
  ],
  [
    "no authority in its file",
    ["ticket.key"],
    terminator("client = yes\nbackend-ca = ticket.key"),
    /ticket\.key: no certificate found: expected those of backend-ca$/,
  ],
  [
    "a user that is not known",
    ["p256.pem"],
    `[main]\n${HERE}user = nobody-of-that-name\n${terminator("pem = p256.pem")}`,
    /nobody-of-that-name/,
  ],
];
for (const [name, files, text, want] of bad) {
  test(`trySettings refuses: ${name}`, async (t) => {
    await assert.rejects(tryText(makeKeys(t, files), text), (error) => {
      assert.ok(error instanceof StartupError);
      assert.match(error.message, want);
      return true;
    });
  });
}

test("trySettings refuses: a backend's name that is not known", { timeout: 180_000 }, async (t) => {
  // Never anybody's (RFC 6761 §6.4).
  const text = "[TLS terminator x]\npem = p256.pem\nfrontend = 127.0.0.1,0\nbackend = backend.invalid,80";
  await assert.rejects(tryText(makeKeys(t, ["p256.pem"]), text), {
    name: "StartupError",
    message: "backend backend.invalid,80: the host name cannot be resolved",
  });
});
