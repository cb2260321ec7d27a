/** One request and its answer, as the service sees them, and what their connection must remember of them. */
import type { Clock } from "../base/clock.ts";
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds, UnixMilliseconds } from "../base/units.ts";
import type { IncomingRequest, RequestFinding, ResponseWriter, Sending, SendOutcome } from "../http/exchange.ts";
import type { Reason } from "../http/reason.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { ResponsePlan } from "../http/response-plan.ts";
import type { CloseCause } from "./connection-trace.ts";
import type { RequestBody } from "./request-body.ts";

/** The connection, which sends the answer of an exchange. */
export interface Sender {
  send(exchange: Exchange, plan: ResponsePlan): Sending;
}

export class Exchange implements IncomingRequest, ResponseWriter {
  readonly #connection: Sender;
  readonly head: RequestHead;
  readonly peer: PeerAddress;
  readonly body: RequestBody | undefined;
  readonly receivedAt: UnixMilliseconds;
  readonly startedAt: Milliseconds;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly isExpecting: boolean;
  plan: ResponsePlan | undefined = undefined;
  /** Undefined until the response is sent, and when an error of our own ended it. */
  outcome: SendOutcome | undefined = undefined;
  user: string | undefined = undefined;
  /** Why the connection closes after the answer; undefined when it is kept. */
  closeCause: CloseCause | undefined = undefined;
  cutReason: Reason | undefined = undefined;
  /** Created only on demand: most answers finish before their client disconnects. */
  #lost: AbortController | undefined = undefined;

  constructor(
    connection: Sender,
    head: RequestHead,
    peer: PeerAddress,
    body: RequestBody | undefined,
    clock: Clock,
    isExpecting = false,
  ) {
    this.#connection = connection;
    this.head = head;
    this.peer = peer;
    this.body = body;
    this.receivedAt = clock.wall();
    this.startedAt = clock.monotonic();
    this.isExpecting = isExpecting;
  }

  get gone(): AbortSignal {
    this.#lost ??= new AbortController();
    return this.#lost.signal;
  }

  note({ user }: RequestFinding): void {
    this.user = user;
  }

  lose(): void {
    this.body?.fail(undefined);
    this.#lost ??= new AbortController();
    this.#lost.abort();
  }

  send(plan: ResponsePlan): Sending {
    return this.#connection.send(this, plan);
  }
}
