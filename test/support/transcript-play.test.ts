/**
 * The player is shown servers that answer rightly and wrongly: what it lets pass no transcript can find.
 */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { parseTranscript, type Vocabulary } from "./transcript.ts";
import { playCase } from "./transcript-play.ts";

const VOCABULARY: Vocabulary = { definitions: new Map(), configurations: new Map([["plain", ""]]) };
const COMMON = "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: Comanche\r\nX-Content-Type-Options: nosniff\r\n";
const BEGINNING = `HTTP/1.1 200 OK\r\n${COMMON}Content-Length: 2\r\n`;
const ANSWER = `${BEGINNING}Connection: keep-alive\r\nKeep-Alive: timeout=5, max=100\r\n`;
const FAREWELL = `HTTP/1.1 204 No Content\r\n${COMMON}Connection: close\r\n\r\n`;

/** Plays one request against a server that answers each request head with the next of `answers`, then closes. */
async function play(receive: string, answers: readonly string[], end: "end" | "reset" = "end"): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let answered = 0;
    let seen = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      seen += chunk.toString("latin1");
      while (answered < answers.length && seen.split("\r\n\r\n").length - 1 > answered)
        socket.write(answers[answered++] ?? "");
      if (answered < answers.length) return;
      if (end === "end") socket.end();
      else socket.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const text = `## A\n\`\`\`send\nGET / HTTP/1.1\n\n\`\`\`\n\`\`\`receive\n${receive}\n\`\`\``;
  const { cases } = parseTranscript("a.md", text, VOCABULARY);
  try {
    for (const played of cases) {
      if (typeof address === "object" && address !== null) await playCase(played, VOCABULARY, address.port, "whole");
    }
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const OPEN = "HTTP/1.1 200 OK\nContent-Length: 2\n\nok";
const CLOSE = `${OPEN}\n<close>`;
const closing = `${BEGINNING}Connection: close\r\n\r\nok`;

test("a right answer on a connection that stays", () => play(OPEN, [`${ANSWER}\r\nok`, FAREWELL]));
test("a right answer on a connection that closes", () => play(CLOSE, [closing]));
test("a connection that closes without having said so", () => play(`${OPEN}\n<eof>`, [`${ANSWER}\r\nok`]));
test("a connection that may announce its end and does", () => play(`${OPEN}\n<end>`, [closing]));
test("a connection that may announce its end and does not", () => play(`${OPEN}\n<end>`, [`${ANSWER}\r\nok`]));
test("a connection that closes without an answer", () => play("<eof>", [""]));

const faults: [name: string, receive: string, answers: string[], message: RegExp][] = [
  ["another status", OPEN, ["HTTP/1.1 404 Not Found\r\n\r\n"], /another status line/],
  ["a missing field", OPEN, ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], /no field "Date"/],
  ["a field of another value", OPEN, [`${ANSWER.replace(": 2", ": 3")}\r\nok`], /no field "Content-Length"/],
  ["a field in other letters", OPEN, [`${ANSWER.replace("Length", "length")}\r\nok`], /no field "Content-Length"/],
  ["a field too many", OPEN, [`${ANSWER}X: y\r\n\r\nok`], /an unexpected field "X"/],
  ["a field twice", OPEN, [`${ANSWER}Content-Length: 2\r\n\r\nok`], /an unexpected field "Content-Length"/],
  ["a line that is no field", OPEN, [`${ANSWER}X : y\r\n\r\nok`], /not a field line/],
  ["another body", OPEN, [`${ANSWER}\r\nno`], /another body/],
  ["a body that breaks off", OPEN, [`${ANSWER}\r\no`], /waiting for 2 bytes of a body: the server closed/],
  ["a body that is too long", OPEN, [`${ANSWER}\r\nokay`, FAREWELL], /left out of step/],
  ["bytes before the end", CLOSE, [`${closing}ay`], /more bytes before the end/],
  ["an early end", OPEN, [`${ANSWER}\r\nok`, ""], /left out of step/],
  ["an end that is not announced", CLOSE, [`${ANSWER}\r\nok`], /no field "Connection"/],
  ["an end that is announced and should not be", OPEN, [closing], /no field "Connection"/],
  ["a connection that stays without saying so", OPEN, [`${BEGINNING}\r\nok`], /no field "Connection"/],
  [
    "a connection that does not say how long it stays",
    OPEN,
    [`${BEGINNING}Connection: keep-alive\r\n\r\nok`],
    /no field "Keep-Alive"/,
  ],
  ["no answer at all", OPEN, [""], /waiting for a response head: the server closed/],
];
for (const [name, receive, answers, message] of faults) {
  test(`found: ${name}`, () => assert.rejects(play(receive, answers), message));
}

test("found: a reset", () => assert.rejects(play(CLOSE, [closing], "reset"), /reset/));
