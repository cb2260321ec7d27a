import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import { encodePreamble, encodeV1, encodeV2, type PreambleForm, type ProxyTlvs } from "../../src/proxy/encode.ts";
import { readTlvs } from "../support/proxy-tlvs.ts";

const client = { address: "192.0.2.1", port: 56324 };
const server = { address: "198.51.100.7", port: 443 };
const TLVS: ProxyTlvs = { authority: "a.test", tls: { certificate: "none", verify: 1, version: "TLSv1.3" } };
const HEADER = encodeV2({ address: "203.0.113.9", port: 1 }, server);

const forms: [form: PreambleForm, want: Uint8Array, asksForTlvs: boolean][] = [
  ["nothing", new Uint8Array(0), false],
  ["ip", Uint8Array.of(2, 192, 0, 2, 1), false],
  ["proxy-v1", encodeV1(client, server), false],
  ["proxy-v2", encodeV2(client, server, TLVS), true],
  ["passed-on", HEADER, false],
];
for (const [form, want, asksForTlvs] of forms) {
  test(`encodePreamble: ${form}`, () => {
    let asked = 0;
    const tlvs = (): ProxyTlvs => {
      asked += 1;
      return TLVS;
    };
    const bytes = encodePreamble(form, { client, server, tlvs, header: HEADER });
    assert.deepEqual(Buffer.from(bytes), Buffer.from(want));
    assert.equal(asked, asksForTlvs ? 1 : 0);
  });
}

test("encodePreamble: what version 2 says of TLS can be read", () => {
  const bytes = encodePreamble("proxy-v2", { client, server, tlvs: () => TLVS, header: new Uint8Array(0) });
  const header = { source: "proxied", client, server, usesTls: true };
  assert.deepEqual(decodeProxyHeader(bytes), { kind: "header", header, consumed: bytes.length });
  assert.deepEqual(readTlvs(bytes), TLVS);
});

test("encodePreamble: no header to pass on, as where none came", () => {
  const bytes = encodePreamble("passed-on", { client, server, tlvs: () => ({}), header: new Uint8Array(0) });
  assert.equal(bytes.length, 0);
});

for (const form of ["ip", "proxy-v1", "proxy-v2"] as const) {
  test(`encodePreamble: ${form}: an address that is none is a broken invariant`, () => {
    const nobody = { address: "unknown", port: 0 };
    const told = { client: nobody, server, tlvs: () => ({}), header: new Uint8Array(0) };
    assert.throws(() => encodePreamble(form, told), /not an IP address/);
  });
}
