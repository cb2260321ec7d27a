import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type ConnectionOptions, connect } from "node:tls";
import fc from "fast-check";
import type { AlertName } from "../../src/tls/alert.ts";
import { type HelloReading, readClientHello } from "../../src/tls/client-hello.ts";

const MORE: HelloReading = { kind: "need-more" };
const MALFORMED = "the ClientHello is malformed";
const refusal = (alert: AlertName, why: string): HelloReading => ({ kind: "refused", alert, why });
const BROKEN = refusal("decode_error", MALFORMED);
const TOO_LONG = refusal("illegal_parameter", "the ClientHello is too long");
const NO_HOST_NAME = refusal("unrecognized_name", "the SNI name is no host name");
const INTERLEAVED = refusal("unexpected_message", "a record of another type within the ClientHello");
const EMPTY_RECORD = refusal("unexpected_message", "an empty handshake record");
const NAMELESS: HelloReading = { kind: "hello", serverName: undefined };

const number = (value: number, octets: number): Buffer => {
  const bytes = Buffer.alloc(octets);
  bytes.writeUIntBE(value, 0, octets);
  return bytes;
};
const vector = (octets: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  return Buffer.concat([number(content.length, octets), content]);
};
const extension = (type: number, content: Uint8Array): Buffer => Buffer.concat([number(type, 2), vector(2, content)]);
const hostName = (name: string): Buffer => Buffer.concat([number(0, 1), vector(2, Buffer.from(name, "latin1"))]);
const serverName = (name: string): Buffer => extension(0, vector(2, hostName(name)));
const GROUPS = extension(10, vector(2, Buffer.of(0, 29)));

const START = Buffer.concat([
  Buffer.alloc(34, 3),
  vector(1, Buffer.alloc(32, 4)),
  vector(2, Buffer.of(0x13, 1)),
  vector(1, Buffer.of(0)),
]);

const hello = (...extensions: readonly Uint8Array[]): Buffer => Buffer.concat([START, vector(2, ...extensions)]);
const message = (body: Uint8Array, type = 1): Buffer => Buffer.concat([number(type, 1), vector(3, body)]);
const record = (content: Uint8Array): Buffer => Buffer.concat([Buffer.of(22, 3, 1), vector(2, content)]);

/** A message in records of that many octets. */
function inRecords(content: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) parts.push(record(content.subarray(at, at + size)));
  return Buffer.concat(parts);
}

const cases: [name: string, bytes: Uint8Array, want: HelloReading][] = [
  ["a name", record(message(hello(serverName("a.test")))), { kind: "hello", serverName: "a.test" }],
  [
    "a name behind others",
    record(message(hello(GROUPS, serverName("A.test")))),
    { kind: "hello", serverName: "A.test" },
  ],
  ["no name", record(message(hello(GROUPS))), NAMELESS],
  ["no extension", record(message(hello())), NAMELESS],
  ["no room for extensions, as TLS 1.2 may", record(message(START)), NAMELESS],
  ["nothing", Buffer.alloc(0), MORE],
  ["an empty name", record(message(hello(serverName("")))), NAMELESS],
  ["a name that no certificate has", record(message(hello(serverName("a b")))), { kind: "hello", serverName: "a b" }],
  ["a name with NUL", record(message(hello(serverName("a.test\0")))), NO_HOST_NAME],
  ["a name that is too long", record(message(hello(serverName("a".repeat(256))))), NO_HOST_NAME],
  ["a name of another kind", record(message(hello(extension(0, vector(2, Buffer.of(1, 0, 1, 97)))))), NO_HOST_NAME],
  ["an empty list of names", record(message(hello(extension(0, vector(2))))), BROKEN],
  ["an empty extension", record(message(hello(extension(0, Buffer.alloc(0))))), BROKEN],
  ["two names", record(message(hello(extension(0, vector(2, hostName("a.test"), hostName("b.test")))))), BROKEN],
  [
    "two lists of names",
    record(message(hello(serverName("a.test"), serverName("b.test")))),
    refusal("illegal_parameter", MALFORMED),
  ],
  ["a name that is longer than its list", record(message(hello(extension(0, Buffer.of(0, 4, 0, 0, 9, 97))))), BROKEN],
  ["another message", record(message(hello(), 2)), refusal("unexpected_message", "no ClientHello")],
  ["an extension that is longer than all", record(message(hello(Buffer.of(0, 10, 0, 9, 1)))), BROKEN],
  ["extensions that are longer than the message", record(message(Buffer.concat([START, Buffer.of(9, 9, 1)]))), BROKEN],
  ["bytes behind the extensions", record(message(Buffer.concat([hello(), Buffer.of(0)]))), BROKEN],
  ["a message that ends too soon", record(message(START.subarray(0, 20))), BROKEN],
  ["a message that is too long", record(Buffer.of(1, 2, 0, 0)), TOO_LONG],
  [
    "more records than a message needs",
    inRecords(Buffer.concat([Buffer.of(1, 0, 255, 0), Buffer.alloc(11_000)]), 1),
    TOO_LONG,
  ],
  ["an empty record", record(Buffer.alloc(0)), EMPTY_RECORD],
  ["an empty record in the middle", Buffer.concat([record(Buffer.of(1, 0)), record(Buffer.alloc(0))]), EMPTY_RECORD],
  [
    "a record that is too long",
    Buffer.of(22, 3, 1, 0x40, 1, 1),
    refusal("record_overflow", "a TLS record is too long"),
  ],
  ["an alert in the middle", Buffer.concat([record(Buffer.of(1, 0)), Buffer.of(21, 3, 3, 0, 2, 2, 40)]), INTERLEAVED],
];
for (const [name, bytes, want] of cases) {
  test(`readClientHello: ${name}`, () => assert.deepEqual(readClientHello(bytes), want));
}

test("readClientHello: nothing is known before the last octet, however it comes", () => {
  const whole = message(hello(GROUPS, serverName("a.test")));
  for (const size of [3, 5, 50, whole.length]) {
    const bytes = inRecords(whole, size);
    for (let end = 0; end < bytes.length; end += 1) {
      assert.deepEqual(readClientHello(bytes.subarray(0, end)), MORE, `${end} octets in records of ${size}`);
    }
    assert.deepEqual(readClientHello(bytes), { kind: "hello", serverName: "a.test" });
  }
});

test("readClientHello: it may come in any number of records", () => {
  // As large as those of browsers with post-quantum keys: more than 2,000 records.
  const whole = message(hello(serverName("a.test"), extension(51, Buffer.alloc(2000))));
  const found: HelloReading = { kind: "hello", serverName: "a.test" };
  for (const size of [1, 2, 3, 4, 7, 31, 32, 33, 500]) assert.deepEqual(readClientHello(inRecords(whole, size)), found);
  const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 });
  fc.assert(
    fc.property(lengths, fc.nat(20), (sizes, extra) => {
      const records: Buffer[] = [];
      for (let [at, turn] = [0, 0]; at < whole.length; turn += 1) {
        const size = Number(sizes[turn % sizes.length]);
        records.push(record(whole.subarray(at, at + size)));
        at += size;
      }
      const bytes = Buffer.concat(records);
      assert.deepEqual(readClientHello(bytes), found);
      assert.deepEqual(readClientHello(bytes.subarray(0, -1 - extra)), MORE);
    }),
  );
});

test("readClientHello: what comes behind it does not matter", () => {
  const whole = record(message(hello(serverName("a.test"))));
  // A client that hopes to send early data sends at once more (RFC 8446 §D.4).
  const behind = Buffer.of(20, 3, 3, 0, 1, 1);
  assert.deepEqual(readClientHello(Buffer.concat([whole, behind])), { kind: "hello", serverName: "a.test" });
});

test("readClientHello: never throws, and more octets never make less of it", () => {
  const valid = record(message(hello(GROUPS, serverName("a.test"))));
  const broken = fc
    .tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }))
    .map(([at, octet]) => Buffer.from(valid).fill(octet, at, at + 1));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), broken, fc.uint8Array().map(record)), fc.nat(200), (bytes, cut) => {
      const whole = readClientHello(bytes);
      const part = readClientHello(bytes.subarray(0, cut));
      if (part.kind !== "need-more") assert.deepEqual(whole, part);
    }),
    { numRuns: 1000 },
  );
});

/** What a client of Node's says first. */
async function helloOf(t: TestContext, options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "connection");
  const client = connect({ port, host: "127.0.0.1", ...options });
  client.on("error", () => undefined);
  const [socket] = await accepted;
  const [bytes]: Buffer[] = await once(socket, "data");
  client.destroy();
  socket.destroy();
  return bytes as Buffer;
}

const real: [name: string, options: ConnectionOptions, want: string | undefined][] = [
  ["TLS 1.3", { servername: "www.example.org" }, "www.example.org"],
  ["TLS 1.2", { servername: "www.example.org", maxVersion: "TLSv1.2" }, "www.example.org"],
  ["no name", {}, undefined],
  ["protocols and all", { servername: "a.test", ALPNProtocols: ["h2", "http/1.1"] }, "a.test"],
];
for (const [name, options, want] of real) {
  test(`readClientHello: OpenSSL's own: ${name}`, async (t) => {
    const bytes = await helloOf(t, options);
    assert.deepEqual(readClientHello(bytes), { kind: "hello", serverName: want });
  });
}
