/**
 * A session that is resumed shows no certificate again, so it must not lead to where its client would not have got in by a
 * full handshake: ours and hitch.
 */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { test } from "node:test";
import { makeTree } from "../support/file-tree.ts";
import { Backend } from "../support/terminator-backend.ts";
import { greet, refusal } from "../support/terminator-caller.ts";
import { startComanche } from "../support/terminator-comanche.ts";
import { keyPath } from "../support/tls-client.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const SAME_KEYS = ["--tls-ticket-keys", keyPath("ticket.key")];
const REFUSED = /^(ECONNRESET|ERR_SSL_[\w/]+|Error: .*)$/;

const OPEN: readonly [what: string, options: object][] = [
  ["where nobody is asked for a certificate", {}],
  ["where a certificate is optional", { clientCa: "client-ca.pem", clientVerify: "optional" }],
];

for (const [what, open] of OPEN) {
  test(`comanche tls: a session from ${what} does not get in where one is required`, async (t) => {
    const backend = await Backend.start(t, "echoes");
    const [from, to] = await Promise.all(
      [open, { clientCa: "client-ca.pem", clientVerify: "required" }].map((options) =>
        startComanche(t, { backend: backend.place, ...options }, SAME_KEYS),
      ),
    );
    assert.ok(from !== undefined && to !== undefined);
    for (const version of VERSIONS) {
      const { session } = await greet(t, from.port, { version });
      assert.match(await refusal(t, to.port, { version, session }), REFUSED, version);
    }
  });
}

test("comanche tls: a session does not outlive the authority of its client", async (t) => {
  const backend = await Backend.start(t, "echoes");
  const authority = `${makeTree(t)}/authority.pem`;
  copyFileSync(keyPath("client-ca.pem"), authority);
  const terminator = await startComanche(t, { backend: backend.place }, ["--tls-client-ca", authority]);
  for (const version of VERSIONS) {
    const options = { version, certificate: "client.pem" };
    const { session } = await greet(t, terminator.port, options);
    assert.equal((await greet(t, terminator.port, { ...options, session })).isResumed, true);
    copyFileSync(keyPath("ca.pem"), authority);
    assert.equal(await terminator.reload(), "taken up");
    assert.match(await refusal(t, terminator.port, { ...options, session }), REFUSED, version);
    copyFileSync(keyPath("client-ca.pem"), authority);
    assert.equal(await terminator.reload(), "taken up");
  }
});
