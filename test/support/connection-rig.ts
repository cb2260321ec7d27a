/**
 * One connection between a fake transport and a service that does what the test says.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Status } from "../../src/base/status.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { BufferPool } from "../../src/connection/buffer-pool.ts";
import { Connection } from "../../src/connection/connection.ts";
import type { ConnectionContext, ConnectionLimits, ServingPhase } from "../../src/connection/connection-context.ts";
import type { ExchangeRecord, IncomingRequest, Refusal, ResponseWriter } from "../../src/http/exchange.ts";
import { FieldBlocks } from "../../src/http/field-blocks.ts";
import type { ResponsePlan } from "../../src/http/response-plan.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeTransport } from "./fake-transport.ts";
import { MemoryEvents } from "./memory-events.ts";

export type Handler = (request: IncomingRequest, writer: ResponseWriter) => void | Promise<void>;

const DATE = "Fri, 15 Mar 2024 10:30:00 GMT";

export const LIMITS: ConnectionLimits = {
  maxTarget: bytes(8192),
  maxHeader: bytes(16384),
  maxFields: 100,
  maxBody: bytes(1_000_000),
  keepaliveRequests: 1000,
  idleTimeout: milliseconds(3000),
  proxyTimeout: milliseconds(60_000),
  headerTimeout: milliseconds(10_000),
  bodyTimeout: milliseconds(20_000),
  bodyRate: bytes(0),
  sendTimeout: milliseconds(30_000),
};

/** Lets every event that is already on its way arrive, with all that follows from it. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await turn();
}

/** Where handlers of a test wait until it lets them go. */
export class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

export class ConnectionRig {
  readonly transport = new FakeTransport();
  readonly clock = new FakeClock();
  readonly buffers = new BufferPool();
  readonly records: ExchangeRecord[] = [];
  readonly faults: unknown[] = [];
  readonly context: ConnectionContext;
  readonly connection: Connection;
  phase: ServingPhase = "serving";
  hasWaitingTasks = false;
  /** How many times the connection said that it is gone. */
  gone = 0;

  constructor(
    handler: Handler,
    limits: Partial<ConnectionLimits> = {},
    trace?: (text: string) => void,
    isTrustedProxy?: (address: string) => boolean,
  ) {
    this.context = {
      fieldBlocks: new FieldBlocks(),
      service: {
        answer: handler,
        planRefusal: ({ status, reason }: Refusal) => ({ ...textPlan(`${reason}\n`, status), reason }),
        record: (record) => this.records.push(record),
      },
      limits: { ...LIMITS, ...limits },
      clock: this.clock,
      buffers: this.buffers,
      phase: () => this.phase,
      hasWaitingTasks: () => this.hasWaitingTasks,
      events: new MemoryEvents(),
      onFault: (fault) => this.faults.push(fault),
      trace,
      isTrustedProxy,
    };
    this.connection = new Connection(this.transport, this.context, () => {
      this.gone += 1;
    });
    this.transport.listen(this.connection);
  }

  /** The client sends, and everything that follows from it happens. @returns what the client has got until then */
  async exchange(data: string): Promise<string> {
    this.transport.send(data);
    await settle();
    return this.transport.take();
  }

  /** Time goes by, and the sweep comes round. */
  async pass(time: number): Promise<void> {
    this.clock.advance(time);
    this.connection.sweep(this.clock.monotonic());
    await settle();
  }
}

export function textPlan(text: string, status: Status = 200): ResponsePlan {
  const body = Buffer.from(text, "latin1");
  const fields = [{ name: "Content-Length", value: String(body.length) }];
  return { status, fields, body: { kind: "bytes", bytes: body } };
}

/** The lines of a response on a connection that is kept, with the limits of the rig. */
export const keeping = (max = 1000): string => `Connection: keep-alive\r\nKeep-Alive: timeout=3, max=${max}\r\n`;

/** The bytes of a `textPlan`. */
export function response(text: string, { status = "200 OK", connection = "", max = 1000, date = DATE } = {}): string {
  const last = connection === "" ? keeping(max) : `Connection: ${connection}\r\n`;
  return `HTTP/1.1 ${status}\r\nDate: ${date}\r\nContent-Length: ${text.length}\r\n${last}\r\n${text}`;
}

/** A GET of `path`, with field lines if wanted. */
export function get(path: string, ...lines: string[]): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

export function post(path: string, body: string, ...lines: string[]): string {
  const all = [`Content-Length: ${body.length}`, ...lines].map((line) => `${line}\r\n`).join("");
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${all}\r\n${body}`;
}

export function postChunked(path: string, body: string, ...lines: string[]): string {
  const all = ["Transfer-Encoding: chunked", ...lines].map((line) => `${line}\r\n`).join("");
  const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${all}\r\n${chunk}0\r\n\r\n`;
}

/** Answers each request with its path, in the turn it arrives in. */
export const echoPath: Handler = ({ head }, writer) => {
  const sending = writer.send(textPlan(head.path));
  return typeof sending === "string" ? undefined : sending.then(() => undefined);
};

/** The same, after the event loop has gone round. */
export const echoPathLater: Handler = async ({ head }, writer) => {
  await turn();
  await writer.send(textPlan(head.path));
};

/** Reads the whole body and answers with it; a body that failed is answered with its refusal, or 400. */
export const echoBody: Handler = async ({ body }, writer) => {
  await writer.send(await planEcho(body));
};

async function planEcho(body: IncomingRequest["body"]): Promise<ResponsePlan> {
  let text = "";
  for (;;) {
    const event = (await body?.read()) ?? { kind: "end" };
    if (event.kind === "end") return textPlan(text);
    if (event.kind === "failed")
      return textPlan(`${event.refusal?.reason ?? "gone"} after ${text.length}`, event.refusal?.status ?? 400);
    text += Buffer.from(event.bytes).toString("latin1");
  }
}
