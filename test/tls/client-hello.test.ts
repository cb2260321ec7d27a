import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type ConnectionOptions, connect } from "node:tls";
import fc from "fast-check";
import { type HelloReading, readClientHello } from "../../src/tls/client-hello.ts";

const MORE: HelloReading = { kind: "need-more" };
const UNREADABLE: HelloReading = { kind: "unreadable" };
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
  ["a name with a blank", record(message(hello(serverName("a b")))), NAMELESS],
  ["a name with NUL", record(message(hello(serverName("a.test\0")))), NAMELESS],
  ["a name that is too long", record(message(hello(serverName("a".repeat(256))))), NAMELESS],
  ["a name of another kind", record(message(hello(extension(0, vector(2, Buffer.of(1, 0, 1, 97)))))), NAMELESS],
  ["an empty list of names", record(message(hello(extension(0, vector(2))))), NAMELESS],
  ["a name that is longer than its list", record(message(hello(extension(0, Buffer.of(0, 4, 0, 0, 9, 97))))), NAMELESS],
  ["another message", record(message(hello(), 2)), UNREADABLE],
  ["an extension that is longer than all", record(message(hello(Buffer.of(0, 10, 0, 9, 1)))), UNREADABLE],
  [
    "extensions that are longer than the message",
    record(message(Buffer.concat([START, Buffer.of(9, 9, 1)]))),
    UNREADABLE,
  ],
  ["a message that ends too soon", record(message(START.subarray(0, 20))), UNREADABLE],
  ["a message that is too long", record(Buffer.of(1, 2, 0, 0)), UNREADABLE],
  ["an empty record", record(Buffer.alloc(0)), UNREADABLE],
  ["a record that is too long", Buffer.of(22, 3, 1, 0x40, 1, 1), UNREADABLE],
  ["an alert in the middle", Buffer.concat([record(Buffer.of(1, 0)), Buffer.of(21, 3, 3, 0, 2, 2, 40)]), UNREADABLE],
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

test("readClientHello: not more than 64 records are put together", () => {
  const whole = message(hello(serverName("a.test".padEnd(200, "."))));
  const most = Math.ceil(whole.length / 64);
  assert.equal(readClientHello(inRecords(whole, most)).kind, "hello");
  assert.deepEqual(readClientHello(inRecords(whole, most - 1)), UNREADABLE);
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
