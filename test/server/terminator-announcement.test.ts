/**
 * What a terminator, ours and hitch, tells its backend ahead of the client's first byte.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import { encodeV1, encodeV2, type ProxyTlvs } from "../../src/proxy/encode.ts";
import type { ProxyHeader } from "../../src/proxy/header.ts";
import { readTlvs } from "../support/proxy-tlvs.ts";
import type { TerminatorOptions } from "../support/terminator.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, type CallOptions, call, type Tunnel, tunnel } from "../support/terminator-caller.ts";
import { startComanche } from "../support/terminator-comanche.ts";
import type { HeldEnd } from "../support/terminator-end.ts";
import { type Program, testBoth } from "../support/terminator-programs.ts";

type Proxied = Extract<ProxyHeader, { source: "proxied" }>;

interface Place {
  readonly backend: Backend;
  readonly port: number;
}

async function startPlace(
  t: TestContext,
  program: Program,
  options: Omit<TerminatorOptions, "backend">,
): Promise<Place> {
  const backend = await Backend.start(t, "waits");
  const { port } = await program.start(t, { backend: backend.place, ...options });
  return { backend, port };
}

/** Reads a header of the PROXY protocol, and leaves what follows. */
async function takeHeader(server: HeldEnd): Promise<Proxied & { readonly tlvs: ProxyTlvs }> {
  const decided = (bytes: Buffer): number | undefined => {
    const decoding = decodeProxyHeader(bytes);
    if (decoding.kind === "need-more") return undefined;
    return decoding.kind === "header" ? decoding.consumed : bytes.length;
  };
  const bytes = await server.takeOnce("a PROXY header", decided);
  const decoding = decodeProxyHeader(bytes);
  assert.ok(decoding.kind === "header", decoding.kind === "reject" ? decoding.why : "");
  assert.ok(decoding.header.source === "proxied", "it tells of no client");
  return { ...decoding.header, tlvs: readTlvs(bytes) };
}

/** The client's address, and where it had connected to. */
function ends({ client }: Tunnel, { port }: Place, host = "127.0.0.1") {
  return { client: client.address, server: { address: host, port } };
}

testBoth("nothing is announced unless asked for", async (t, program) => {
  const { backend, port } = await startPlace(t, program, {});
  await assertJoined(await tunnel(t, port, backend));
});

const HOSTS: readonly [host: string, family: string, octets: readonly number[]][] = [
  ["127.0.0.1", "TCP4", [2, 127, 0, 0, 1]],
  ["::1", "TCP6", [10, ...Array<number>(15).fill(0), 1]],
];

for (const [host, family, octets] of HOSTS) {
  testBoth(`write-ip: the family and the client's address: ${host}`, async (t, program) => {
    const { backend, port } = await startPlace(t, program, { announce: "ip", host });
    const joined = await tunnel(t, port, backend, { host });
    assert.deepEqual([...(await joined.server.take(octets.length))], octets);
    await assertJoined(joined);
  });

  testBoth(`PROXY version 1: one line: ${host}`, async (t, program) => {
    const { backend, port } = await startPlace(t, program, { announce: "proxy-v1", host });
    const joined = await tunnel(t, port, backend, { host });
    const line = `PROXY ${family} ${host} ${host} ${joined.client.address.port} ${port}\r\n`;
    assert.equal((await joined.server.take(line.length)).toString("latin1"), line);
    await assertJoined(joined);
  });
}

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

testBoth("PROXY version 2: addresses and facts about TLS", async (t, program) => {
  const place = await startPlace(t, program, { announce: "proxy-v2", alpn: ["h2", "http/1.1"] });
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const options: CallOptions = { version, servername: "localhost", alpn: ["http/1.1"] };
      const joined = await tunnel(t, place.port, place.backend, options);
      const header = await takeHeader(joined.server);
      const tls = { certificate: "none", verify: NOT_VERIFIED, version, cipher: joined.client.cipher };
      const tlvs = { alpn: "http/1.1", authority: "localhost", tls };
      assert.deepEqual(header, { source: "proxied", ...ends(joined, place), usesTls: true, tlvs });
      await assertJoined(joined);
    });
  }
});

testBoth("PROXY version 2: what was not agreed on is left out", async (t, program) => {
  const place = await startPlace(t, program, { announce: "proxy-v2", host: "::1" });
  const joined = await tunnel(t, place.port, place.backend, { host: "::1" });
  const { tlvs, ...header } = await takeHeader(joined.server);
  assert.deepEqual(header, { source: "proxied", ...ends(joined, place, "::1"), usesTls: true });
  assert.deepEqual(Object.keys(tlvs), ["tls"]);
  await assertJoined(joined);
});

testBoth("PROXY version 2: who has shown a certificate", async (t, program) => {
  const ca = { clientCa: "client-ca.pem", clientVerify: "optional" } as const;
  const { port, backend } = await startPlace(t, program, { announce: "proxy-v2", ...ca });
  // hitch tells no name.
  const name = program.name === "hitch" ? {} : { commonName: "client one" };
  for (const version of VERSIONS) {
    await t.test(version, async (t) => {
      const certificate = "client.pem";
      const none = await tunnel(t, port, backend, { version });
      assert.deepEqual(await certificateTold(none), { certificate: "none", verify: NOT_VERIFIED });
      const shown = await tunnel(t, port, backend, { version, certificate });
      assert.deepEqual(await certificateTold(shown), { certificate: "in-connection", verify: VERIFIED, ...name });
      const session = shown.client.session();
      const again = await tunnel(t, port, backend, { version, certificate, session });
      assert.ok(again.client.agreed.isResumed);
      assert.deepEqual(await certificateTold(again), { certificate: "in-session", verify: VERIFIED, ...name });
    });
  }
});

/** Zero for a certificate that was shown and verified, anything else otherwise (specification §2.2.6). */
const VERIFIED = 0;
const NOT_VERIFIED = 1;

/** What is told of TLS but for what everybody has. */
async function certificateTold(joined: Tunnel): Promise<unknown> {
  const { tlvs } = await takeHeader(joined.server);
  await assertJoined(joined);
  const { version, cipher, ...rest } = tlvs.tls ?? {};
  assert.deepEqual([version, cipher], [joined.client.agreed.version, joined.client.cipher]);
  return rest;
}

// ---- passed on

const CLIENT = { address: "192.0.2.1", port: 56324 };
const FRONT = { address: "192.0.2.2", port: 443 };
const LINE = encodeV1(CLIENT, FRONT);

const PASSED_ON: readonly [what: string, preamble: Uint8Array][] = [
  ["version 1", LINE],
  ["version 1, unknown", Buffer.from("PROXY UNKNOWN\r\n")],
  ["version 2", encodeV2(CLIENT, FRONT)],
  ["version 2 with TLVs", encodeV2(CLIENT, FRONT, { authority: "a.test", uniqueId: Uint8Array.of(1, 2, 3) })],
];

testBoth("proxy-proxy: the header ahead of the handshake is passed on, to the byte", async (t, program) => {
  const { backend, port } = await startPlace(t, program, { announce: "passed-on" });
  for (const [what, preamble] of PASSED_ON) {
    await t.test(what, async (t) => {
      const joined = await tunnel(t, port, backend, { preamble: [preamble] });
      assert.deepEqual(await joined.server.take(preamble.length), Buffer.from(preamble));
      await assertJoined(joined);
    });
  }
});

testBoth("proxy-proxy: who sends no header is cut", async (t, program) => {
  const { backend, port } = await startPlace(t, program, { announce: "passed-on" });
  for (const preamble of [[], [Buffer.from("GARBAGE\r\n")], [encodeV2(CLIENT, FRONT).subarray(2)]]) {
    await assert.rejects(call(t, port, { preamble }));
  }
  assert.equal(backend.count, 0);
  const joined = await tunnel(t, port, backend, { preamble: [LINE] });
  await joined.server.take(LINE.length);
  await assertJoined(joined);
});

// hitch wants the header in one piece, and reads no more of it than its first word.

test("comanche tls: proxy-proxy: a header that is torn into bytes", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await startComanche(t, { backend: backend.place, announce: "passed-on" });
  for (const [what, whole] of PASSED_ON) {
    await t.test(what, async (t) => {
      const preamble = Array.from(whole, (byte) => Uint8Array.of(byte));
      const joined = await tunnel(t, port, backend, { preamble });
      assert.deepEqual(await joined.server.take(whole.length), Buffer.from(whole));
      await assertJoined(joined);
    });
  }
});

test("comanche tls: proxy-proxy: who sends a bad header is cut", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await startComanche(t, { backend: backend.place, announce: "passed-on" });
  for (const line of ["PROXY TCP4 192.0.2.1 192.0.2.2 x 443\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 443\n"]) {
    await assert.rejects(call(t, port, { preamble: [Buffer.from(line)] }));
  }
  assert.equal(backend.count, 0);
});

test("comanche tls: proxy-proxy: with trusted-proxies, nobody else gets in", async (t) => {
  const backend = await Backend.start(t, "waits");
  const options = { backend: backend.place, announce: "passed-on" } as const;
  const { port } = await startComanche(t, options, ["--trusted-proxies", "127.0.0.2"]);
  await assert.rejects(call(t, port, { preamble: [LINE] }));
  const joined = await tunnel(t, port, backend, { preamble: [LINE], from: "127.0.0.2" });
  await joined.server.take(LINE.length);
  await assertJoined(joined);
  assert.equal(backend.count, 1);
});
