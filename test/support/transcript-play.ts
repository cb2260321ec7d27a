/**
 * Carries out the steps of one transcript case against a server: sends, receives, compares.
 *
 * A connection that the case leaves open is asked one last question at the end: its answer shows that the connection
 * still lives, and that nothing stood between the last expected byte and that answer.
 */
import { latin1, type Pieces, RawClient } from "./raw-client.ts";
import type { Case, Step, Vocabulary } from "./transcript.ts";
import { type Captures, type Expectation, encodeSending, matches, parseExpectation } from "./transcript-text.ts";

/** What every final response has, unless it says `<without NAME>` or names the field itself. */
const COMMON_FIELDS = [
  { name: "Date", value: /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT$/ },
  { name: "Server", value: /^Comanche$/ },
  { name: "X-Content-Type-Options", value: /^nosniff$/ },
];

/** What a final response has after which the connection is kept, unless the case names the field itself. */
const KEEPING_FIELDS = [
  { name: "Connection", value: /^keep-alive$/ },
  { name: "Keep-Alive", value: /^timeout=[0-9]+, max=[0-9]+$/ },
];

const FAREWELL = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** Larger sends are not played byte by byte: it would show nothing new, slowly. */
const MAX_BYTEWISE = 2048;

interface ReceivedField {
  readonly name: string;
  readonly value: string;
}

/** In which ways a case is played: every one that is not bound to time is played in pieces too. */
export function waysToPlay(played: Case): readonly Pieces[] {
  if (played.once) return ["whole"];
  const size = Math.max(...played.steps.filter(isSend).map((step) => step.lines.join("\r\n").length));
  const repeats = played.steps.some((step) => isSend(step) && step.lines.some((line) => /\{\d{3,}\*/.test(line)));
  return size <= MAX_BYTEWISE && !repeats ? ["whole", "bytewise", "halves"] : ["whole", "halves"];
}

/** @throws where what arrives is not what the case says, with both */
export async function playCase(played: Case, vocabulary: Vocabulary, port: number, pieces: Pieces): Promise<void> {
  const captures: Captures = new Map();
  const clients = new Map<string, RawClient>();
  const everyone: RawClient[] = [];
  const clientOf = async (step: Step): Promise<RawClient> => {
    const known = clients.get(step.connection);
    if (known !== undefined) return known;
    const client = await RawClient.connect(port);
    clients.set(step.connection, client);
    everyone.push(client);
    return client;
  };
  try {
    for (const step of played.steps) {
      const client = await clientOf(step);
      try {
        if (isSend(step)) {
          const { bytes, afterwards } = encodeSending(step.lines, captures);
          client.send(bytes, pieces);
          if (afterwards === "half-close") client.halfClose();
          if (afterwards === "leave") await client.leave();
          if (afterwards === "leave") clients.delete(step.connection);
        } else {
          const expected = parseExpectation(step.lines, vocabulary.definitions);
          await receive(client, expected, captures);
          if (expected.ending !== "open") clients.delete(step.connection);
        }
      } catch (cause) {
        const what = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`line ${step.line} (${pieces}): ${what}\nexpected:\n${step.lines.join("\n")}`);
      }
    }
    for (const [label, client] of clients) await sayFarewell(client, label);
  } finally {
    for (const client of everyone) client.destroy();
  }
}

async function receive(client: RawClient, expected: Expectation, captures: Captures): Promise<void> {
  if (expected.statusLine !== undefined) {
    const head = latin1(await client.readHead());
    const lines = head.slice(0, -4).split("\r\n");
    const statusLine = lines[0] ?? "";
    if (!matches(expected.statusLine, statusLine, captures)) fault("another status line", head);
    const fields = lines.slice(1).map((line) => parseField(line, head));
    compareFields(expected, statusLine, fields, captures, head);
    if (expected.body !== undefined) {
      const length = fields.find((field) => field.name === "Content-Length")?.value;
      if (length === undefined) return fault("a body without Content-Length", head);
      const body = latin1(await client.readBytes(Number(length)));
      if (!matches(expected.body, body, captures)) fault("another body", head + body);
    }
  }
  if (expected.ending === "open") return;
  const rest = await client.readToEnd();
  if (rest.length > 0) fault("more bytes before the end", latin1(rest));
}

function parseField(line: string, head: string): ReceivedField {
  const [, name = "", value = ""] =
    /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): (.*)$/.exec(line) ?? fault("not a field line", head);
  return { name, value };
}

/** Fields as a set: order is free, a missing, unexpected or repeated one is a fault. */
function compareFields(
  expected: Expectation,
  statusLine: string,
  received: readonly ReceivedField[],
  captures: Captures,
  head: string,
): void {
  const unseen = [...received];
  const take = (name: string, isRight: (value: string) => boolean): void => {
    const at = unseen.findIndex((field) => field.name === name && isRight(field.value));
    if (at < 0) fault(`no field "${name}" of the expected value`, head);
    unseen.splice(at, 1);
  };
  for (const { name, value } of expected.fields) take(name, (found) => matches(value, found, captures));
  const isFinal = !/^HTTP\/1\.1 1/.test(statusLine);
  for (const { name, value } of isFinal ? COMMON_FIELDS : []) {
    const isNamed = expected.fields.some((field) => field.name === name);
    if (!isNamed && !expected.without.includes(name)) take(name, (found) => value.test(found));
  }
  const isAnnounced = unseen.some(({ name, value }) => name === "Connection" && value === "close");
  if (expected.ending === "close" || (expected.ending === "end" && isAnnounced)) {
    take("Connection", (found) => found === "close");
  } else if (isFinal) {
    for (const { name, value } of KEEPING_FIELDS) {
      if (!expected.fields.some((field) => field.name === name)) take(name, (found) => value.test(found));
    }
  }
  const [surplus] = unseen;
  if (surplus !== undefined) fault(`an unexpected field "${surplus.name}"`, head);
}

async function sayFarewell(client: RawClient, label: string): Promise<void> {
  client.send(Buffer.from(FAREWELL));
  const answer = latin1(await client.readToEnd());
  const head = answer.slice(0, answer.indexOf("\r\n\r\n") + 4);
  const length = Number(/\r\nContent-Length: (\d+)\r\n/.exec(head)?.[1] ?? 0);
  if (!answer.startsWith("HTTP/1.1 ") || answer.length !== head.length + length) {
    fault(`connection "${label}" was left out of step; after OPTIONS * there came`, answer);
  }
}

function isSend(step: Step): boolean {
  return step.kind === "send";
}

function fault(what: string, received: string): never {
  throw new Error(`${what}; received:\n${JSON.stringify(received).replaceAll("\\r\\n", "\\r\\n\n")}`);
}
