import assert from "node:assert/strict";
import { chmodSync, closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, utimesSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { bytes, milliseconds, unixMilliseconds } from "../../src/base/units.ts";
import { BufferPool } from "../../src/connection/buffer-pool.ts";
import { type FileBody, type SendChunks, transferFile } from "../../src/connection/file-transfer.ts";
import { encodeChunked } from "../../src/http/chunked-encoder.ts";
import type { SendOutcome } from "../../src/http/exchange.ts";
import type { OpenSource, Part } from "../../src/http/response-plan.ts";
import { openSource } from "../support/open-source.ts";
import { passTick } from "../support/served-site.ts";

const HEAD = Buffer.from("HEAD|");

/** Lends one small buffer, so that short files take many slices, and knows whether it is lent. */
class SmallBuffers extends BufferPool {
  readonly #size: number;
  lent = 0;

  constructor(size: number) {
    super();
    this.#size = size;
  }

  override take(): Buffer {
    this.lent += 1;
    return Buffer.alloc(this.#size);
  }

  override give(buffer: Buffer): void {
    this.lent -= 1;
    buffer.fill("?");
  }
}

interface OpenFile extends OpenSource {
  readonly path: string;
}

function openFile(t: TestContext, content: string): OpenFile {
  const directory = mkdtempSync(join(tmpdir(), "comanche-transfer-"));
  const path = join(directory, "file");
  const descriptor = openSync(path, "w+");
  t.after(() => {
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });
  writeSync(descriptor, content);
  // Far enough back that any change in the test is a change of the time.
  utimesSync(path, 1_000_000_000, 1_000_000_000);
  return { path, ...openSource(descriptor) };
}

const fileBody = (source: OpenSource, start: number, end: number): FileBody => ({
  kind: "file",
  source,
  start: bytes(start),
  end: bytes(end),
  isJoined: false,
});

function partsBody(source: OpenSource, slices: readonly (readonly [start: number, end: number])[]): FileBody {
  const parts = slices.map(([start, end]): Part => {
    return { preamble: Buffer.from(`<${start}-${end}>`), start: bytes(start), end: bytes(end) };
  });
  return { kind: "parts", source, isJoined: false, parts, epilogue: Buffer.from("<end>"), length: bytes(0) };
}

interface Transfer {
  readonly outcome: SendOutcome;
  /** One string for each write. */
  readonly writes: readonly string[];
}

/** @param onWrite  what happens between two writes; false: the client has gone */
async function transfer(
  body: FileBody,
  bufferSize: number,
  onWrite: (written: number) => boolean | Promise<boolean> = () => true,
  clock: Clock = systemClock,
): Promise<Transfer> {
  const buffers = new SmallBuffers(bufferSize);
  const writes: string[] = [];
  const send: SendChunks = (chunk, second) => {
    assert.ok(buffers.lent <= 1, "one buffer at a time");
    writes.push(Buffer.concat([chunk, second ?? Buffer.alloc(0)]).toString());
    return onWrite(writes.length);
  };
  const outcome = await transferFile(HEAD, body, buffers, send, clock);
  assert.equal(buffers.lent, 0);
  return { outcome, writes };
}

const TEXT = "0123456789abcdefghij";

const wholes: [name: string, start: number, end: number, bufferSize: number, writes: string[]][] = [
  ["in one buffer", 0, 20, 100, [`HEAD|${TEXT}`]],
  ["exactly one buffer", 0, 20, 20, [`HEAD|${TEXT}`]],
  ["several buffers", 0, 20, 8, ["HEAD|01234567", "89abcdef", "ghij"]],
  ["buffers that fit exactly", 0, 20, 10, ["HEAD|0123456789", "abcdefghij"]],
  ["a slice", 5, 12, 4, ["HEAD|5678", "9ab"]],
  ["one byte", 19, 20, 4, ["HEAD|j"]],
  ["nothing at all", 0, 0, 4, ["HEAD|"]],
];
for (const [name, start, end, bufferSize, writes] of wholes) {
  test(`transferFile: ${name}`, async (t) => {
    const source = openFile(t, TEXT);
    assert.deepEqual(await transfer(fileBody(source, start, end), bufferSize), { outcome: "sent", writes });
    const later = await transfer(fileBody(source, start, end), bufferSize, () => Promise.resolve(true));
    assert.deepEqual(later, { outcome: "sent", writes });
  });
}

test("transferFile: parts, over buffers of every size", async (t) => {
  const source = openFile(t, TEXT);
  for (let bufferSize = 1; bufferSize <= 12; bufferSize += 1) {
    const { outcome, writes } = await transfer(
      partsBody(source, [
        [0, 3],
        [18, 20],
        [4, 14],
      ]),
      bufferSize,
    );
    assert.equal(outcome, "sent");
    assert.equal(writes.join(""), "HEAD|<0-3>012<18-20>ij<4-14>456789abcd<end>");
  }
});

test("transferFile: a part's preamble leaves together with its bytes", async (t) => {
  const { writes } = await transfer(
    partsBody(openFile(t, TEXT), [
      [0, 3],
      [18, 20],
    ]),
    10,
  );
  assert.deepEqual(writes, ["HEAD|<0-3>012", "<18-20>ij", "<end>"]);
});

test("transferFile: an empty file", async (t) => {
  const source = openFile(t, "");
  assert.deepEqual(await transfer(fileBody(source, 0, 0), 4), { outcome: "sent", writes: ["HEAD|"] });
});

// ---- the chunked coding

const chunkedBody = (source: OpenSource): FileBody => ({ kind: "chunked", source, size: source.identity.size });
/** A text in which no two pieces are alike. */
const numbers = (count: number): string =>
  Array.from({ length: count }, (_, i) => `${i},`)
    .join("")
    .slice(0, count);

const chunkedSizes = [0, 1, 8191, 8192, 8193, 16_384, 16_385, 100_000];
for (const size of chunkedSizes) {
  test(`transferFile: ${size} bytes in chunks, over buffers of any size`, async (t) => {
    const content = numbers(size);
    const source = openFile(t, content);
    const want = HEAD.toString() + Buffer.from(encodeChunked(Buffer.from(content))).toString();
    for (const bufferSize of [8205, 10_000, 16_384, 20_000, 131_072]) {
      const { outcome, writes } = await transfer(chunkedBody(source), bufferSize);
      assert.equal(outcome, "sent");
      assert.equal(writes.join(""), want);
    }
  });
}

test("transferFile: the head leaves with the first chunks, the end with the last", async (t) => {
  const { writes } = await transfer(chunkedBody(openFile(t, numbers(20_000))), 16_384);
  assert.deepEqual(
    writes.map((text) => [text.slice(0, 11), text.slice(-7)]),
    [
      ["HEAD|2000\r\n", `${numbers(8192).slice(-5)}\r\n`],
      [`2000\r\n${numbers(20_000).slice(8192, 8197)}`, `${numbers(16_384).slice(-5)}\r\n`],
      [`e20\r\n${numbers(20_000).slice(16_384, 16_390)}`, "\r\n0\r\n\r\n"],
    ],
  );
});

// ---- the file is changed meanwhile

const REWRITTEN = "jihgfedcba9876543210";
const changes: [name: string, change: (file: OpenFile) => void, why: RegExp | undefined][] = [
  ["truncated", (file) => ftruncateSync(file.descriptor, 10), /ends after|became shorter/],
  ["emptied", (file) => ftruncateSync(file.descriptor, 0), /ends after|became shorter/],
  ["rewritten at the same size", (file) => writeSync(file.descriptor, REWRITTEN, 0), /was rewritten/],
  [
    "rewritten at the same size, and the old time put back",
    (file) => {
      passTick(file.path, dirname(file.path));
      writeSync(file.descriptor, REWRITTEN, 0);
      utimesSync(file.path, 1_000_000_000, 1_000_000_000);
    },
    /was rewritten/,
  ],
  [
    "rewritten and grown",
    (file) => {
      writeSync(file.descriptor, REWRITTEN, 0);
      writeSync(file.descriptor, "more", 20);
    },
    /was rewritten/,
  ],
  ["grown", (file) => writeSync(file.descriptor, "more", 20), undefined],
  ["touched", (file) => utimesSync(file.path, 1_000_000_001, 1_000_000_001), undefined],
  ["made read-only", (file) => chmodSync(file.path, 0o444), undefined],
  ["unlinked", (file) => rmSync(file.path), undefined],
  [
    "changed and changed back",
    (file) => {
      writeSync(file.descriptor, REWRITTEN, 0);
      writeSync(file.descriptor, TEXT, 0);
    },
    undefined,
  ],
];

/** Sent over buffers of 8, 4 and 8205 bytes, so that the change falls between two of the writes. */
const bodies: [
  name: string,
  content: string,
  bufferSize: number,
  body: (source: OpenSource) => FileBody,
  want: string,
][] = [
  ["a whole file", TEXT, 8, (source) => fileBody(source, 0, 20), TEXT],
  ["a part", TEXT, 4, (source) => fileBody(source, 1, 9), TEXT.slice(1, 9)],
  [
    "two parts",
    TEXT,
    4,
    (source) =>
      partsBody(source, [
        [0, 3],
        [4, 9],
      ]),
    "<0-3>012<4-9>45678<end>",
  ],
];
for (const [name, change, why] of changes) {
  for (const [what, content, bufferSize, body, want] of bodies) {
    const fate = why === undefined ? "is sent whole" : "never ends";
    test(`transferFile: ${what} of a file that is ${name} after the first write ${fate}`, async (t) => {
      const source = openFile(t, content);
      const { outcome, writes } = await transfer(body(source), bufferSize, (written) => {
        if (written === 1) change(source);
        return true;
      });
      if (why === undefined) {
        assert.deepEqual([outcome, writes.join("")], ["sent", `HEAD|${want}`]);
        return;
      }
      assert.ok(typeof outcome === "object");
      assert.deepEqual([outcome.kind, outcome.isHeadSent], ["changed", true]);
      assert.match(outcome.why, why);
      assert.ok(writes.join("").length < HEAD.length + want.length);
    });
  }
}

test("transferFile: a file that became shorter before its only write: the head is not sent", async (t) => {
  const source = openFile(t, TEXT);
  ftruncateSync(source.descriptor, 5);
  const { outcome, writes } = await transfer(fileBody(source, 0, 20), 100);
  assert.deepEqual(outcome, { kind: "changed", why: "the file ends after 5 of 20 bytes", isHeadSent: false });
  assert.deepEqual(writes, []);
});

test("transferFile: equal times prove nothing where they are not settled", async (t) => {
  const file = openFile(t, TEXT);
  // On a file system with whole seconds a change within the second looks like this one, which takes back the times.
  const { identity } = file;
  const unsettled = { ...file, isSettled: false };
  const changed = await transfer(fileBody(unsettled, 0, 20), 8, (written) => {
    if (written === 1) writeSync(file.descriptor, REWRITTEN, 0);
    Object.assign(identity, openSource(file.descriptor).identity);
    return true;
  });
  assert.ok(typeof changed.outcome === "object");
  assert.match(changed.outcome.why, /was rewritten/);
  const unchanged = await transfer(fileBody(unsettled, 0, 20), 8);
  assert.equal(unchanged.outcome, "sent");
});

test("transferFile: a part that the client joins with bytes it holds is of that version, or never ends", async (t) => {
  for (const change of [() => {}, (file: OpenFile) => writeSync(file.descriptor, "more", 20)]) {
    const source = openFile(t, TEXT);
    const body: FileBody = { kind: "file", source, start: bytes(4), end: bytes(20), isJoined: true };
    const { outcome } = await transfer(body, 8, (written) => {
      if (written === 1) change(source);
      return true;
    });
    assert.equal(typeof outcome, change.length === 0 ? "string" : "object");
  }
});

const chunkedChanges: [name: string, change: (file: OpenFile) => void, isSent: boolean][] = [
  ["truncated", (file) => ftruncateSync(file.descriptor, 10), false],
  ["rewritten", (file) => writeSync(file.descriptor, "x", 5), false],
  ["grown", (file) => writeSync(file.descriptor, "more", 20_000), true],
  ["touched", (file) => utimesSync(file.path, 1_000_000_001, 1_000_000_001), true],
];
for (const [name, change, isSent] of chunkedChanges) {
  test(`transferFile: a file in chunks that is ${name} after the first write ${isSent ? "ends" : "never ends"}`, async (t) => {
    const source = openFile(t, numbers(20_000));
    const { outcome, writes } = await transfer(chunkedBody(source), 16_384, (written) => {
      if (written === 1) change(source);
      return true;
    });
    assert.equal(outcome === "sent", isSent);
    assert.equal(writes.join("").endsWith("\r\n0\r\n\r\n"), isSent);
  });
}

test("transferFile: an empty file in chunks that has grown is sent as it was announced", async (t) => {
  const source = openFile(t, "");
  writeSync(source.descriptor, "more");
  assert.deepEqual(await transfer(chunkedBody(source), 16_384), { outcome: "sent", writes: ["HEAD|0\r\n\r\n"] });
});

// ---- the client, and the machine

const departures: [name: string, gone: () => boolean | Promise<boolean>][] = [
  ["at once", () => false],
  ["while it is waited for", () => Promise.resolve(false)],
];
for (const [name, gone] of departures) {
  test(`transferFile: a client found gone ${name}: not one write more`, async (t) => {
    const source = openFile(t, TEXT);
    for (let last = 1; last <= 3; last += 1) {
      const body = fileBody(source, 0, 20);
      const { outcome, writes } = await transfer(body, 8, (written) => (written === last ? gone() : true));
      assert.equal(outcome, "cut");
      assert.equal(writes.length, last);
    }
    const inChunks = await transfer(chunkedBody(source), 16_384, gone);
    assert.equal(inChunks.outcome, "cut");
    const parts = partsBody(source, [[0, 3]]);
    const atTheEnd = await transfer(parts, 8, (written) => (written === 2 ? gone() : true));
    assert.equal(atTheEnd.outcome, "cut");
  });
}

test("transferFile: a file that cannot be read is a failure with the system's code, and the buffer is given back", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "comanche-transfer-"));
  const descriptor = openSync(directory, "r");
  t.after(() => {
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });
  const buffers = new SmallBuffers(8);
  const body = fileBody(openSource(descriptor), 0, 20);
  const outcome = await transferFile(HEAD, body, buffers, () => assert.fail("nothing may be written"));
  assert.deepEqual(outcome, { kind: "unreadable", why: "EISDIR", isHeadSent: false });
  assert.equal(buffers.lent, 0);
});

test("transferFile: the buffer is not filled again before the client has taken it", async (t) => {
  const source = openFile(t, TEXT);
  let present: Uint8Array = HEAD;
  let before = "";
  const buffers = new SmallBuffers(4);
  const outcome = await transferFile(HEAD, fileBody(source, 0, 20), buffers, async (chunk, second) => {
    present = second ?? chunk;
    before = Buffer.from(present).toString();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert.equal(Buffer.from(present).toString(), before);
    return true;
  });
  assert.equal(outcome, "sent");
});

const paces: [name: string, age: number, msPerLook: number, want: string][] = [
  ["a quiet file, fast: undecided", 60_000, 0, "changed"],
  ["a quiet file, slowly", 60_000, 1000, "sent"],
  ["a file that was changed just before, fast", 5000, 0, "sent"],
];
for (const [name, age, msPerLook, want] of paces) {
  test(`transferFile: a touch during a large transfer: ${name}`, async (t) => {
    const source = openFile(t, "x".repeat(6 * 1024 * 1024));
    const now = Date.now() + age;
    let looks = 0;
    const clock = { wall: () => unixMilliseconds(now), monotonic: () => milliseconds(msPerLook * looks++) };
    const touch = (written: number): boolean => {
      if (written === 5) utimesSync(source.path, 1_000_000_001, 1_000_000_001);
      return true;
    };
    const { outcome } = await transfer(fileBody(source, 0, source.identity.size), 1024 * 1024, touch, clock);
    assert.equal(typeof outcome === "string" ? outcome : outcome.kind, want);
  });
}

test("transferFile: after many small parts, the first piece of a large one is small", async (t) => {
  const asked: number[] = [];
  class Asked extends BufferPool {
    override take(most: number): Buffer {
      asked.push(most);
      return super.take(most);
    }
  }
  const source = openFile(t, "x".repeat(2 * 1024 * 1024));
  const small = Array.from({ length: 20 }, (_, index) => [2 * index, 2 * index + 1] as const);
  const body = partsBody(source, [...small, [1000, source.identity.size]]);
  assert.equal(await transferFile(HEAD, body, new Asked(), () => true), "sent");
  assert.deepEqual(asked.slice(0, 23), [...small.map(() => 1), 128 * 1024, 256 * 1024, 512 * 1024]);
});
