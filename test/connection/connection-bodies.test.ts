/** Request bodies on a connection: read, half read, left alone, broken off. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BodyEvent } from "../../src/http/exchange.ts";
import {
  ConnectionRig,
  echoBody,
  echoPath,
  echoPathLater,
  Gate,
  get,
  type Handler,
  post,
  postChunked,
  response,
  settle,
  textPlan,
} from "../support/connection-rig.ts";

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** Reads one piece of the body and answers with it. */
const echoFirstPiece: Handler = async ({ body }, writer) => {
  const event = await body?.read();
  await writer.send(textPlan(event?.kind === "chunk" ? Buffer.from(event.bytes).toString("latin1") : "nothing"));
};

/** Answers as `handler` does, but not before the gate is open. */
function behind(gate: Gate, handler: Handler): Handler {
  return async (request, writer) => {
    await gate.opened;
    await handler(request, writer);
  };
}

// ---- read by the handler

const framings: [name: string, request: (body: string) => string][] = [
  ["counted", (body) => post("/", body)],
  ["chunked", (body) => postChunked("/", body)],
];
for (const [name, request] of framings) {
  test(`Connection: a ${name} body and the request after it, cut at every point and byte by byte`, async () => {
    const whole = Buffer.from(request("0123456789") + get("/next"));
    const cuts = Array.from({ length: whole.length + 1 }, (_, at) => [whole.subarray(0, at), whole.subarray(at)]);
    cuts.push(Array.from(whole, (_, at) => whole.subarray(at, at + 1)));
    for (const pieces of cuts) {
      const rig = new ConnectionRig(echoBody);
      for (const piece of pieces) {
        rig.transport.send(piece);
        await settle();
      }
      assert.equal(rig.transport.take(), response("0123456789") + response(""));
      assert.equal(rig.records.length, 2);
    }
  });

  test(`Connection: an empty ${name} body`, async () => {
    assert.equal(await new ConnectionRig(echoBody).exchange(request("") + get("/")), response("") + response(""));
  });

  test(`Connection: a ${name} body that the client sends before it half-closes is read whole, however late`, async () => {
    const gate = new Gate();
    const rig = new ConnectionRig(behind(gate, echoBody));
    rig.transport.send(request("all of it"));
    rig.transport.halfClose();
    await settle();
    gate.open();
    await settle();
    assert.ok(rig.transport.take().endsWith("\r\n\r\nall of it"));
    assert.equal(rig.transport.isClosed, true);
    assert.equal(rig.records[0]?.outcome, "sent");
  });

  test(`Connection: a ${name} body broken off by a half-close fails, and its handler can still answer`, async () => {
    const rig = new ConnectionRig(echoBody);
    rig.transport.send(request("0123456789").slice(0, -8));
    await settle();
    rig.transport.halfClose();
    await settle();
    assert.match(rig.transport.take(), /^HTTP\/1\.1 400 .*Connection: close\r\n\r\ngone after \d+$/s);
    assert.equal(rig.transport.isClosed, true);
    assert.equal(rig.records.length, 1);
  });

  test(`Connection: a ${name} body read only after the client broke it off gives what came, then fails`, async () => {
    const gate = new Gate();
    const rig = new ConnectionRig(behind(gate, echoBody));
    rig.transport.send(request("0123456789").slice(0, -8));
    rig.transport.halfClose();
    await settle();
    gate.open();
    await settle();
    assert.match(rig.transport.take(), /^HTTP\/1\.1 400 .*Connection: close\r\n\r\ngone after ([1-9]|10)$/s);
  });
}

test("Connection: a large body is not held in memory while its handler does not read", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig(behind(gate, echoBody));
  const body = "x".repeat(900_000);
  rig.transport.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
  for (let at = 0; at < body.length; at += 30_000) rig.transport.send(body.slice(at, at + 30_000));
  assert.equal(rig.transport.isPaused, true);
  assert.ok(rig.transport.unread > 750_000, `unread: ${rig.transport.unread}`);
  gate.open();
  await settle();
  assert.equal(rig.transport.take(), response(body));
  assert.equal(rig.transport.isPaused, false);
});

test("Connection: a body without end pauses the client once nobody reads on, and is dropped only to a bound", async () => {
  const gate = new Gate();
  const handler: Handler = async (request, writer) => {
    await request.body?.read();
    await gate.opened;
    await echoPath(request, writer);
  };
  const rig = new ConnectionRig(handler, { maxBody: 10_000_000 as never });
  rig.transport.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n");
  for (let i = 0; i < 8; i += 1) rig.transport.send("x".repeat(30_000));
  await settle();
  assert.equal(rig.transport.isPaused, true);
  gate.open();
  await settle();
  assert.equal(rig.transport.take(), response("/", { connection: "close" }));
  assert.equal(rig.transport.isPaused, false, "what still comes is read, so that no reset erases the answer");
  assert.equal(rig.transport.unread, 0);
});

// ---- malformed and too large

const faults: [name: string, body: string, status: string, reason: string][] = [
  ["a malformed chunk", "5\r\nhello\r\nx\r\n", "400 Bad Request", "bad-chunk"],
  ["a chunk beyond the limit", "f4241\r\n", "413 Content Too Large", "body-too-large"],
];
for (const [name, body, status, reason] of faults) {
  for (const [who, handler] of [
    ["reads", echoBody],
    ["does not read", echoPath],
  ] as const) {
    test(`Connection: ${name} that arrives with the head is refused before a handler that ${who} it`, async () => {
      const rig = new ConnectionRig(handler);
      const got = await rig.exchange(`GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
      assert.equal(got, response(`${reason}\n`, { status, connection: "close" }));
      assert.equal(await rig.exchange(get("/smuggled")), "");
      assert.deepEqual(
        rig.records.map((record) => [record.requestLine, record.reason]),
        [["GET / HTTP/1.1", reason]],
      );
    });
  }

  test(`Connection: ${name} that arrives while a handler works on something else announces the end`, async () => {
    const gate = new Gate();
    const rig = new ConnectionRig(behind(gate, echoPath));
    await rig.exchange("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    await rig.exchange(body);
    gate.open();
    await settle();
    assert.equal(rig.transport.take(), response("/", { connection: "close" }));
    assert.equal(rig.transport.hasEnded, true);
  });

  test(`Connection: ${name} is the handler's to answer, and ends the connection`, async () => {
    const rig = new ConnectionRig(echoBody);
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    await rig.exchange(head);
    const want = response(`${reason} after 0`, { status, connection: "close" });
    assert.equal(await rig.exchange(body + get("/smuggled")), want);
    assert.equal(rig.transport.hasEnded, true);
    assert.equal(rig.records.length, 1);
  });

  test(`Connection: ${name} that nobody reads ends the connection without another answer`, async () => {
    const rig = new ConnectionRig(echoPath);
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    await rig.exchange(head);
    assert.equal(await rig.exchange(body + get("/smuggled")), "");
    assert.equal(rig.transport.hasEnded, true);
    assert.equal(rig.records.length, 1);
  });
}

// ---- left unread

const answerers: [name: string, handler: Handler][] = [
  ["at once", echoPath],
  ["later", echoPathLater],
];
for (const [when, handler] of answerers) {
  for (const [name, request] of framings) {
    test(`Connection: a ${name} body left unread (answered ${when}) is never taken for a request`, async () => {
      const rig = new ConnectionRig(handler);
      const first = request(get("/smuggled"));
      const second = get("/next");
      for (let at = 0; at <= first.length; at += 1) {
        const before = await rig.exchange(first.slice(0, at));
        const after = await rig.exchange(first.slice(at) + second);
        assert.equal(before + after, response("/") + response("/next"));
      }
    });
  }

  test(`Connection: an unread body of 64 KiB (answered ${when}) is dropped, and the next request served`, async () => {
    const rig = new ConnectionRig(handler);
    assert.equal(await rig.exchange(post("/", "x".repeat(65_536)) + get("/next")), response("/") + response("/next"));
  });

  test(`Connection: beyond 64 KiB an unread body (answered ${when}) ends the connection, announced`, async () => {
    const rig = new ConnectionRig(handler);
    assert.equal(
      await rig.exchange(post("/", "x".repeat(65_537)) + get("/next")),
      response("/", { connection: "close" }),
    );
    assert.equal(rig.transport.hasEnded, true);
  });

  test(`Connection: an unread chunked body (answered ${when}) ends the connection when it goes on beyond 64 KiB`, async () => {
    const rig = new ConnectionRig(handler);
    const body = postChunked("/", "x".repeat(65_536));
    assert.equal(await rig.exchange(body + get("/next")), response("/") + response("/next"));
    const longer = body.replace("0\r\n\r\n", "1\r\nx\r\n");
    assert.equal(await rig.exchange(longer), response("/"));
    assert.equal(rig.transport.hasEnded, true);
    assert.equal(await rig.exchange(`0\r\n\r\n${get("/next")}`), "");
  });
}

test("Connection: the rest of a body that was read in part is dropped", async () => {
  const rig = new ConnectionRig(echoFirstPiece);
  assert.equal(await rig.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234"), response("01234"));
  assert.equal(await rig.exchange(`56789${get("/")}`), response("nothing"));
});

test("Connection: an unread body that a half-close broke off is not waited for", async () => {
  const rig = new ConnectionRig(echoPathLater);
  rig.transport.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
  rig.transport.halfClose();
  await settle();
  assert.equal(rig.transport.take(), response("/"));
  assert.equal(rig.transport.isClosed, true);
});

// ---- Expect: 100-continue

const EXPECT = "Expect: 100-continue";
const expecting = (length: number) => `POST / HTTP/1.1\r\nHost: a\r\n${EXPECT}\r\nContent-Length: ${length}\r\n\r\n`;

test("Connection: 100 Continue is written when the body is read, once, and the body follows", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig(behind(gate, echoBody));
  assert.equal(await rig.exchange(expecting(4)), "");
  gate.open();
  await settle();
  assert.equal(rig.transport.take(), CONTINUE);
  assert.equal(await rig.exchange("bo"), "");
  assert.equal(await rig.exchange(`dy${get("/")}`), response("body") + response(""));
});

test("Connection: an answer waits behind a 100 Continue that the client has not taken", async () => {
  const rig = new ConnectionRig(echoBody);
  rig.transport.room = 5;
  rig.transport.send(expecting(4));
  await settle();
  rig.transport.send(`body${get("/")}`);
  await settle();
  assert.equal(rig.transport.writes, 1);
  rig.transport.read();
  await settle();
  assert.equal(rig.transport.take(), CONTINUE + response("body") + response(""));
});

test("Connection: no 100 Continue for a client that did not wait", async () => {
  const rig = new ConnectionRig(echoBody);
  assert.equal(await rig.exchange(`${expecting(4)}body`), response("body"));
  assert.equal(await rig.exchange(get("/")), response(""));
});

test("Connection: a body that was expected and never read: whatever follows is of unknown kind", async () => {
  for (const handler of [echoPath, echoPathLater]) {
    const rig = new ConnectionRig(handler);
    assert.equal(await rig.exchange(expecting(4)), response("/", { connection: "close" }));
    assert.equal(await rig.exchange(get("/next")), "");
    assert.equal(rig.transport.hasEnded, true);
  }
});

test("Connection: an expected body that arrived whole and unread closes too", async () => {
  const rig = new ConnectionRig(echoPathLater);
  assert.equal(await rig.exchange(`${expecting(4)}body${get("/next")}`), response("/", { connection: "close" }));
});

test("Connection: an expected body too large is refused instead of asked for", async () => {
  const rig = new ConnectionRig(echoBody);
  const want = response("body-too-large\n", { status: "413 Content Too Large", connection: "close" });
  assert.equal(await rig.exchange(expecting(1_000_001)), want);
});

const unexpecting: [name: string, request: string, want: string][] = [
  ["HTTP/1.0", `POST / HTTP/1.0\r\n${EXPECT}\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\n`, ""],
  ["a body of no bytes", expecting(0), response("")],
];
for (const [name, request, want] of unexpecting) {
  test(`Connection: no 100 Continue with ${name}`, async () => {
    assert.equal(await new ConnectionRig(echoBody).exchange(request), want);
  });
}

// ---- the reader's contract

test("Connection: a body tells its length, and goes on saying that it is over", async () => {
  const events: (BodyEvent | undefined)[] = [];
  const handler: Handler = async ({ body }, writer) => {
    assert.equal(body?.length, 2);
    for (let i = 0; i < 3; i += 1) events.push(await body?.read());
    await writer.send(textPlan("done"));
  };
  await new ConnectionRig(handler).exchange(post("/", "ab"));
  assert.deepEqual(events, [{ kind: "chunk", bytes: Buffer.from("ab") }, { kind: "end" }, { kind: "end" }]);
});

test("Connection: pieces of a body stay as they are while later ones arrive", async () => {
  const pieces: Uint8Array[] = [];
  const handler: Handler = async ({ body }, writer) => {
    for (let event = await body?.read(); event?.kind === "chunk"; event = await body?.read()) pieces.push(event.bytes);
    await writer.send(textPlan("done"));
  };
  const rig = new ConnectionRig(handler);
  await rig.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab");
  await rig.exchange("cd");
  await rig.exchange(`ef${get("/")}`);
  assert.equal(Buffer.concat(pieces).toString(), "abcdef");
});
