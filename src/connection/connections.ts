/** All connections of a process: their limit, their deadlines, and how they end. */
import { milliseconds, toUnixSeconds, type UnixSeconds } from "../base/units.ts";
import type { Reason } from "../http/reason.ts";
import { CLOSING_LINES, formatResponseHead } from "../http/response-head.ts";
import { bodyLength, type ResponsePlan } from "../http/response-plan.ts";
import type { AcceptedTransport } from "../transport/transport.ts";
import { Connection } from "./connection.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { LimitReport } from "./limit-report.ts";
import { TurnedAway } from "./turned-away.ts";

/** How often deadlines are checked; a timeout is late by at most this. */
const SWEEP_INTERVAL_MS = 250;

export interface ConnectionCounts {
  readonly maxConnections: number;
  /** From one address; 0 for no limit. Clients on a Unix socket cannot be distinguished, so they have no limit. */
  readonly connectionsPerClient: number;
}

type LimitReason = Extract<Reason, "too-many-connections" | "too-many-from-client">;

/** What all who are refused within a second get. */
interface KeptAnswer {
  readonly second: UnixSeconds;
  readonly plan: ResponsePlan;
  readonly message: Uint8Array;
}

export class Connections {
  readonly #context: ConnectionContext;
  readonly #limits: ConnectionCounts;
  /** Each with the address that is counted, if any. */
  readonly #open = new Map<Connection, string | undefined>();
  /** Number of connections per counted address. */
  readonly #clients = new Map<string, number>();
  readonly #turnedAway: TurnedAway;
  readonly #reports: Readonly<Record<LimitReason, LimitReport>>;
  readonly #answers = new Map<LimitReason, KeptAnswer>();
  readonly #onGone = (connection: Connection): void => this.#forget(connection);
  /** Runs while there are connections or memory for them, so that a server without clients sleeps. */
  #sweeper: NodeJS.Timeout | undefined;
  #emptied: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(context: ConnectionContext, limits: ConnectionCounts) {
    this.#context = context;
    this.#limits = limits;
    this.#turnedAway = new TurnedAway(context.onFault, () => this.#tellIfEmpty());
    this.#reports = {
      "too-many-connections": new LimitReport("max-connections", context.events),
      "too-many-from-client": new LimitReport("connections-per-client", context.events),
    };
  }

  get count(): number {
    return this.#open.size;
  }

  get busyCount(): number {
    let busy = 0;
    for (const connection of this.#open.keys()) if (connection.isBusy) busy += 1;
    return busy;
  }

  accept(transport: AcceptedTransport): void {
    const client = this.#limitedClient(transport);
    const others = client === undefined ? 0 : (this.#clients.get(client) ?? 0);
    // After this turn has read what has arrived: on a busy machine a request may have waited longer than its connection may.
    this.#sweeper ??= setInterval(() => void setImmediate(() => this.#sweep()), SWEEP_INTERVAL_MS);
    if (this.#open.size >= this.#limits.maxConnections) {
      this.#turnAway(transport, "too-many-connections");
      return;
    }
    if (client !== undefined && others >= this.#limits.connectionsPerClient) {
      this.#turnAway(transport, "too-many-from-client");
      return;
    }
    const connection = new Connection(transport, this.#context, this.#onGone);
    this.#open.set(connection, client);
    if (client !== undefined) this.#clients.set(client, others + 1);
    transport.start(connection, this.#context.onFault);
  }

  /** Lets connections finish as the phase says; resolves when the last is gone. Call it again after a phase change. */
  drain(): Promise<void> {
    for (const connection of this.#open.keys()) connection.drain();
    if (this.#isEmpty) return Promise.resolve();
    this.#emptied ??= new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
    return this.#emptied;
  }

  destroyAll(): void {
    for (const connection of this.#open.keys()) connection.destroy();
    this.#turnedAway.destroyAll();
  }

  /** Call it when the last connection is gone. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #sweep(): void {
    const now = this.#context.clock.monotonic();
    const holdsMemory = this.#context.buffers.sweep();
    this.#turnedAway.sweep(now);
    const reports = Object.values(this.#reports);
    for (const report of reports) report.sweep(now);
    if (this.#isEmpty && !holdsMemory && reports.every(({ isCalm }) => isCalm)) this.close();
    const isCrowded = this.#open.size > this.#limits.maxConnections / 2;
    for (const connection of this.#open.keys()) this.#guard(connection, () => connection.sweep(now, isCrowded));
  }

  /** An error of our own ends only this connection. */
  #guard(connection: Connection, act: () => void): void {
    try {
      act();
    } catch (fault) {
      this.#context.onFault(fault);
      connection.destroy();
    }
  }

  /** Answers 503 without waiting for a request, and closes. */
  #turnAway(transport: AcceptedTransport, reason: LimitReason): void {
    const { clock, service, onFault } = this.#context;
    try {
      const now = clock.monotonic();
      this.#reports[reason].refused(this.#describeFull(reason), now);
      const { plan, message } = this.#answerFor(reason);
      service.record({
        peer: transport.peer,
        requestLine: "",
        head: undefined,
        status: plan.status,
        reason,
        bodyBytes: bodyLength(plan.body),
        outcome: "sent",
        user: undefined,
        receivedAt: clock.wall(),
        duration: milliseconds(0),
      });
      this.#turnedAway.add(transport, message, now);
    } catch (fault) {
      onFault(fault);
      transport.destroy();
    }
  }

  #describeFull(reason: LimitReason): string {
    const { maxConnections, connectionsPerClient } = this.#limits;
    if (reason === "too-many-connections") return `all ${maxConnections} connections of this process are open`;
    return `a client has all its ${connectionsPerClient} connections open`;
  }

  /** Made once a second, whatever the number of those who get it. */
  #answerFor(reason: LimitReason): KeptAnswer {
    const second = toUnixSeconds(this.#context.clock.wall());
    const kept = this.#answers.get(reason);
    if (kept?.second === second) return kept;
    const plan = this.#context.service.planRefusal({ status: 503, reason }, undefined);
    const head = Buffer.from(formatResponseHead(plan, second, CLOSING_LINES), "latin1");
    const message = plan.body.kind === "bytes" ? Buffer.concat([head, plan.body.bytes]) : head;
    const answer = { second, plan, message };
    this.#answers.set(reason, answer);
    return answer;
  }

  /** The counted address, if any: without a limit we do not ask the kernel for it. */
  #limitedClient(transport: AcceptedTransport): string | undefined {
    if (this.#limits.connectionsPerClient === 0) return undefined;
    const { address } = transport.peer;
    return address === "unix" ? undefined : address;
  }

  #forget(connection: Connection): void {
    const client = this.#open.get(connection);
    this.#open.delete(connection);
    if (client !== undefined) {
      const others = (this.#clients.get(client) ?? 0) - 1;
      if (others > 0) this.#clients.set(client, others);
      else this.#clients.delete(client);
    }
    this.#tellIfEmpty();
  }

  get #isEmpty(): boolean {
    return this.#open.size === 0 && this.#turnedAway.count === 0;
  }

  #tellIfEmpty(): void {
    if (!this.#isEmpty) return;
    this.#onEmpty?.();
    this.#emptied = undefined;
  }
}
