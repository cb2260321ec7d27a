import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ClientProof,
  type ClientVerify,
  proofFrom,
  refuseClient,
  verifyNumber,
} from "../../src/tls/client-proof.ts";

const NONE: ClientProof = { kind: "none" };
const VERIFIED: ClientProof = { kind: "verified" };
const EXPIRED: ClientProof = { kind: "invalid", code: "CERT_HAS_EXPIRED" };
const invalid = (code: string): ClientProof => ({ kind: "invalid", code });

const proofs: [name: string, has: boolean, code: string | undefined, want: ClientProof][] = [
  ["no certificate", false, undefined, NONE],
  ["no certificate, which Node calls an unknown issuer", false, "UNABLE_TO_GET_ISSUER_CERT", NONE],
  ["a valid one", true, undefined, VERIFIED],
  ["an expired one", true, "CERT_HAS_EXPIRED", EXPIRED],
];
for (const [name, has, code, want] of proofs) {
  test(`proofFrom: ${name}`, () => assert.deepEqual(proofFrom(has, code), want));
}

const refusals: [verify: ClientVerify, name: string, proof: ClientProof, want: string | undefined][] = [
  ["require", "a valid certificate", VERIFIED, undefined],
  ["require", "none", NONE, "certificate_required: the client sent no certificate"],
  ["require", "an expired one", EXPIRED, "certificate_expired: the client's certificate is not valid: expired"],
  ["optional", "a valid certificate", VERIFIED, undefined],
  ["optional", "none", NONE, undefined],
  ["optional", "an expired one", EXPIRED, "certificate_expired: the client's certificate is not valid: expired"],
  ["note", "a valid certificate", VERIFIED, undefined],
  ["note", "none", NONE, undefined],
  ["note", "an expired one", EXPIRED, undefined],
  [
    "require",
    "one of an unknown CA",
    invalid("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    "unknown_ca: the client's certificate is not valid: unknown CA",
  ],
  [
    "require",
    "one for servers",
    invalid("INVALID_PURPOSE"),
    "unsupported_certificate: the client's certificate is not valid: not for clients",
  ],
  [
    "require",
    "any other fault",
    invalid("UNSPECIFIED"),
    "certificate_unknown: the client's certificate is not valid: not verifiable",
  ],
];
for (const [verify, name, proof, want] of refusals) {
  test(`refuseClient: ${verify}: ${name}`, () => {
    const refusal = refuseClient(verify, proof, "TLSv1.3");
    assert.equal(refusal && `${refusal.alert}: ${refusal.why}`, want);
  });
}

test("refuseClient: TLS 1.2 has no alert of its own for a missing certificate", () => {
  assert.equal(refuseClient("require", NONE, "TLSv1.2")?.alert, "handshake_failure");
});

const numbers: [proof: ClientProof, want: number][] = [
  [VERIFIED, 0],
  [NONE, 1],
  [EXPIRED, 10],
  [invalid("UNABLE_TO_VERIFY_LEAF_SIGNATURE"), 21],
  [invalid("INVALID_PURPOSE"), 26],
  [invalid("something new"), 1],
];
for (const [proof, want] of numbers) {
  test(`verifyNumber: ${proof.kind} ${proof.kind === "invalid" ? proof.code : ""}`, () =>
    assert.equal(verifyNumber(proof), want));
}
