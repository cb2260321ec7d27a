/**
 * The HTTP/1.1 conversation on one transport (RFC 9112 §9): reads requests one at a time, answers in order, and keeps
 * or closes the connection.
 *
 * Bytes of the next request wait during an answer. Beyond a limit the transport is paused, which bounds the memory per
 * client. There is no timer here: the current deadline is data, and `sweep` checks it.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import { type Milliseconds, milliseconds, toUnixSeconds } from "../base/units.ts";
import type { Refusal, Sending, SendOutcome, SourceFailure } from "../http/exchange.ts";
import { clientOf, isForwarded } from "../http/forwarded-for.ts";
import { decideExpectation, decideFraming, decidePersistence } from "../http/framing.ts";
import type { RequestHead } from "../http/request-head.ts";
import { RequestParser } from "../http/request-parser.ts";
import { bodyLength, type ResponsePlan } from "../http/response-plan.ts";
import type { Transport, TransportEvents } from "../transport/transport.ts";
import { BodyPace } from "./body-pace.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { Exchange } from "./connection-exchange.ts";
import { type CloseCause, ConnectionTrace } from "./connection-trace.ts";
import { type PresentFraming, RequestBody } from "./request-body.ts";
import { ResponseSender } from "./response-sender.ts";

type State =
  /** No byte of the next request has arrived. `earliest`: the deadline while places are scarce, or in an old process. */
  | { readonly kind: "idle"; readonly deadline: Milliseconds; earliest: Milliseconds }
  | { readonly kind: "reading-head"; readonly deadline: Milliseconds }
  | { readonly kind: "answering"; readonly exchange: Exchange; readonly pace: BodyPace | undefined }
  /** Answered, but the client still sends a body that the handler did not read. */
  | { readonly kind: "dropping-body"; readonly body: RequestBody; left: number; readonly deadline: Milliseconds }
  /** Our side is closed. What arrives is dropped for a while, so that no reset loses the answer (RFC 9112 §9.6). */
  | { readonly kind: "lingering"; left: number; deadline: Milliseconds }
  | { readonly kind: "closed" };

/** Limit of an unread body that is dropped; beyond it the connection closes. */
const MAX_DROPPED_BODY = 64 * 1024;
/** Limit of bytes waiting during an answer; beyond it the transport is paused. */
const MAX_WAITING = 64 * 1024;
/**
 * How long a connection stays open beyond the idle timeout that was announced to its client. A request that the client
 * sent within that time may still be under way, and after our end we could not answer it.
 */
const IDLE_GRACE_MS = 1000;
const LINGER_TIME = milliseconds(5000);
/** While the server stops: a client that does not close must not delay it. */
const LINGER_TIME_WHEN_DRAINING = milliseconds(1000);
/** A client that pauses for longer would be served from a document root that has been replaced. */
const IDLE_TIME_WHEN_OUTDATED = milliseconds(1000);
const MAX_LINGER_BYTES = 16 * 1024 * 1024;

const FAILURE_REASONS = { changed: "changed-while-sending", unreadable: "unreadable" } as const;

/**
 * A client that closed its side and has no answer after this time has most likely left (nginx decides so at once). If others wait
 * for a thread, its task is cancelled; one that is still there gets 503.
 */
const LEFT_AFTER = milliseconds(1000);

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
const NOTHING = Buffer.alloc(0);
const CLOSED: State = { kind: "closed" };

export class Connection implements TransportEvents {
  readonly #transport: Transport;
  readonly #context: ConnectionContext;
  readonly #onGone: (connection: Connection) => void;
  readonly #parser: RequestParser;
  readonly #sender: ResponseSender;
  readonly #trace: ConnectionTrace | undefined;
  readonly #waiting = new ByteQueue();
  #state: State;
  #served = 0;
  /**
   * While a request is answered synchronously: bytes behind it that are neither read nor waiting. A client that closed
   * its side may have sent more requests; this one is the last only if nothing is left.
   */
  #unreadBytes = 0;
  #isPaused = false;
  /** A handler is running, perhaps for a client that has disconnected. */
  #isHandling = false;
  /** The client has closed its writing side: nothing after its last bytes needs an answer. */
  #hasEnded = false;
  #endedAt: Milliseconds = milliseconds(0);
  /** The client is a proxy. It may keep idle connections for minutes, and loses a POST on one that we close meanwhile. */
  #isProxy = false;

  /** @param onGone  called once, when the transport is closed and no handler is running */
  constructor(transport: Transport, context: ConnectionContext, onGone: (connection: Connection) => void) {
    this.#transport = transport;
    this.#context = context;
    this.#onGone = onGone;
    this.#parser = new RequestParser(context.limits, context.fieldBlocks);
    this.#sender = new ResponseSender(transport, context.buffers, context.clock, context.limits);
    this.#trace = context.trace && new ConnectionTrace(context.trace, transport.peer);
    const deadline = this.#in(context.limits.headerTimeout);
    this.#state = { kind: "idle", deadline, earliest: deadline };
    this.#trace?.opened();
  }

  get isBusy(): boolean {
    return this.#state.kind === "reading-head" || this.#state.kind === "answering";
  }

  // ---- called by the transport

  onBytes(chunk: Buffer): void {
    const state = this.#state;
    switch (state.kind) {
      case "idle":
      case "reading-head":
        this.#readHeads(chunk);
        this.#advance();
        return;
      case "answering":
        this.#waiting.append(chunk);
        this.#pumpBody(state, chunk.length);
        if (this.#waiting.length > MAX_WAITING) this.#pause();
        return;
      case "dropping-body":
        this.#waiting.append(chunk);
        this.#advance();
        return;
      case "lingering":
        state.left -= chunk.length;
        if (state.left < 0) this.#transport.destroy();
        return;
      case "closed":
        return;
    }
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.#endedAt = this.#context.clock.monotonic();
    const state = this.#state;
    if (state.kind === "answering") state.exchange.body?.endInput();
    else this.#close("the client closed its side");
  }

  onDrained(): void {
    this.#sender.onDrained();
  }

  onClosed(): void {
    const state = this.#state;
    this.#state = CLOSED;
    this.#sender.onClosed();
    if (state.kind === "answering") state.exchange.lose();
    if (!this.#isHandling) this.#onGone(this);
  }

  // ---- called by the server

  /** Ends the connection if its deadline has passed. @param isCrowded  others may soon need its place */
  sweep(now: Milliseconds, isCrowded = false): void {
    const state = this.#state;
    switch (state.kind) {
      case "idle":
        if (now < state.earliest) return;
        if (now < state.deadline && !isCrowded && this.#context.phase() === "serving") return;
        this.#trace?.timedOut("no request");
        this.#close("idle");
        return;
      case "reading-head":
        if (now < state.deadline) return;
        this.#trace?.timedOut("half a request head");
        this.#refuse({ status: 408, reason: "header-timeout" }, this.#parser.partialLine);
        return;
      case "answering":
        this.#sweepAnswer(state, now);
        return;
      case "dropping-body":
        if (now >= state.deadline) this.#close();
        return;
      case "lingering":
        if (now < state.deadline) return;
        // The client takes nothing, so the kernel would keep what is unsent for minutes.
        if (this.#transport.unsent > 0) this.#transport.reset();
        else this.#transport.destroy();
        return;
      case "closed":
        return;
    }
  }

  /** The process is leaving: closes after the current answer; an idle connection as the phase says. */
  drain(): void {
    const state = this.#state;
    const phase = this.#context.phase();
    if (state.kind === "lingering") {
      state.deadline = milliseconds(Math.min(state.deadline, this.#lingerDeadline()));
    } else if (state.kind === "idle" && phase === "stopping") {
      this.#close("the server is stopping");
    } else if (state.kind === "idle" && phase === "outdated") {
      state.earliest = milliseconds(Math.min(state.earliest, this.#in(IDLE_TIME_WHEN_OUTDATED)));
    }
  }

  destroy(): void {
    this.#transport.destroy();
  }

  // ---- reading

  /** Reads requests until no bytes are left or one answer must be awaited; the rest waits. */
  #readHeads(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && this.#isReading()) {
      const result = this.#parser.push(rest);
      if (result.kind === "need-more") {
        if (this.#state.kind === "idle" && !this.#parser.isEmpty) {
          this.#state = { kind: "reading-head", deadline: this.#in(this.#context.limits.headerTimeout) };
        }
        return;
      }
      if (result.kind === "reject") {
        this.#refuse(result.refusal, result.requestLine);
        return;
      }
      rest = result.consumed === rest.length ? NOTHING : rest.subarray(result.consumed);
      this.#unreadBytes = rest.length;
      if (this.#begin(result.head, rest)) return;
      this.#unreadBytes = 0;
    }
    if (this.#state.kind === "answering") this.#waiting.append(rest);
  }

  #isReading(): boolean {
    return this.#state.kind === "idle" || this.#state.kind === "reading-head";
  }

  /** Answers one request. `rest` follows the head. @returns whether `rest` has been taken over */
  #begin(head: RequestHead, rest: Buffer): boolean {
    const { limits } = this.#context;
    if (this.#served === 0) this.#isProxy = this.#isSentByProxy(head);
    const framing = decideFraming(head);
    if (framing.kind === "reject") return this.#refuse(framing.refusal, head.requestLine, head);
    const expectation = decideExpectation(head, framing);
    if (expectation.kind === "reject") return this.#refuse(expectation.refusal, head.requestLine, head);
    if (framing.kind === "none") {
      this.#answer(new Exchange(this, head, this.#peerOf(head), undefined, this.#context.clock));
      return false;
    }
    if (framing.kind === "length" && framing.length > limits.maxBody) {
      return this.#refuse({ status: 413, reason: "body-too-large" }, head.requestLine, head);
    }
    this.#waiting.append(rest);
    this.#unreadBytes = 0;
    const isExpecting = expectation.kind === "continue";
    const pace = new BodyPace(limits);
    const body = this.#openBody(framing, isExpecting, pace);
    // Before any answer, whether it reads the body or not: after the fault, nothing on this connection can be read.
    const fault = body.findFault();
    if (fault !== undefined) return this.#refuse(fault, head.requestLine, head);
    this.#answer(new Exchange(this, head, this.#peerOf(head), body, this.#context.clock, isExpecting), pace);
    return true;
  }

  #isSentByProxy(head: RequestHead): boolean {
    const { isTrustedProxy } = this.#context;
    return isForwarded(head.fields) || isTrustedProxy?.(this.#transport.peer.address) === true;
  }

  /** The connected client, or the one that a trusted proxy names. */
  #peerOf(head: RequestHead): PeerAddress {
    const { peer } = this.#transport;
    const { isTrustedProxy } = this.#context;
    return isTrustedProxy === undefined ? peer : clientOf(peer, head.fields, isTrustedProxy);
  }

  #openBody(framing: PresentFraming, isExpecting: boolean, pace: BodyPace): RequestBody {
    let mustContinue = isExpecting;
    return new RequestBody(framing, this.#context.limits.maxBody, this.#waiting, () => {
      if (mustContinue) this.#sender.sendInterim(CONTINUE);
      mustContinue = false;
      pace.wait(this.#context.clock.monotonic());
      this.#resume();
    });
  }

  #pumpBody({ exchange: { body }, pace }: Extract<State, { kind: "answering" }>, count: number): void {
    if (body === undefined || pace === undefined) return;
    const now = this.#context.clock.monotonic();
    pace.receive(count, now);
    body.pump();
    if (body.isAwaited) pace.wait(now);
  }

  /** Continues with waiting bytes as far as possible. */
  #advance(): void {
    for (;;) {
      const state = this.#state;
      if (state.kind === "dropping-body") {
        state.left -= state.body.drop();
        if (state.left < 0 || state.body.isFailed) this.#close("a request body was left unread");
        else if (state.body.isComplete) this.#becomeIdle();
        else if (this.#hasEnded) this.#close("the client closed its side");
        if (this.#state === state) return;
      } else if (this.#isReading() && this.#waiting.length > 0) {
        const waiting = this.#waiting.view;
        this.#waiting.consume(waiting.length);
        this.#readHeads(waiting);
      } else {
        return;
      }
    }
  }

  // ---- answering

  #answer(exchange: Exchange, pace?: BodyPace): void {
    this.#served += 1;
    this.#state = { kind: "answering", exchange, pace };
    this.#isHandling = true;
    let answering: void | Promise<void>;
    try {
      answering = this.#context.service.answer(exchange, exchange);
    } catch (fault) {
      this.#recover(exchange, fault);
      return;
    }
    if (answering === undefined) {
      this.#finish(exchange);
      return;
    }
    answering
      .then(
        () => this.#finishLater(exchange),
        (fault) => this.#recover(exchange, fault),
      )
      .catch((fault) => this.#abandon(fault));
  }

  send(exchange: Exchange, plan: ResponsePlan): Sending {
    if (exchange.plan !== undefined) throw new Error("a second response to one request");
    exchange.plan = plan;
    if (this.#state.kind !== "answering" || this.#state.exchange !== exchange) return "cut";
    exchange.closeCause = this.#closeCauseAfter(exchange);
    const persistence = exchange.closeCause === undefined ? "keep" : "close";
    this.#trace?.transferStarted(exchange.head.path, plan);
    const outcome = this.#sender.send(plan, persistence, toUnixSeconds(this.#context.clock.wall()));
    if (typeof outcome === "string") {
      this.#sent(exchange, plan, outcome);
      return outcome;
    }
    return outcome.then(async (settled) => {
      if (typeof settled === "object" && !settled.isHeadSent) await this.#sendInstead(exchange, settled);
      else this.#sent(exchange, plan, settled);
      return settled;
    });
  }

  #sent(exchange: Exchange, plan: ResponsePlan, outcome: SendOutcome): void {
    this.#trace?.transferEnded(exchange.head.path, plan, this.#sender.bodyBytesSent, outcome);
    exchange.outcome = outcome;
    if (typeof outcome === "object") exchange.cutReason = FAILURE_REASONS[outcome.kind];
    if (outcome !== "sent") this.#transport.destroy();
  }

  /** A file that failed before anything left is refused instead. */
  async #sendInstead(exchange: Exchange, failure: SourceFailure): Promise<void> {
    const { service, clock } = this.#context;
    const plan = service.planRefusal({ status: 503, reason: FAILURE_REASONS[failure.kind] }, exchange.head);
    exchange.plan = plan;
    const persistence = exchange.closeCause === undefined ? "keep" : "close";
    this.#sent(exchange, plan, await this.#sender.send(plan, persistence, toUnixSeconds(clock.wall())));
  }

  /** Why the connection must close after this answer; undefined when it is kept. */
  #closeCauseAfter(exchange: Exchange): CloseCause | undefined {
    const { head, body } = exchange;
    const { limits } = this.#context;
    if (this.#hasEnded && this.#waiting.length === 0 && this.#unreadBytes === 0) return "the client closed its side";
    if (body !== undefined && !body.isComplete) {
      // Without our 100 the client may send the body or the next request: we cannot know which.
      if (exchange.isExpecting && !body.wasRead) return "a request body was left unread";
      if (body.isFailed || body.findFault() !== undefined) return "a request body was left unread";
      if ((body.length ?? 0) > MAX_DROPPED_BODY) return "a request body was left unread";
    }
    const isDraining = this.#context.phase() !== "serving";
    if (decidePersistence(head, this.#served, limits.keepaliveRequests, isDraining) === "keep") return undefined;
    if (isDraining) return "the server is stopping";
    return this.#served >= limits.keepaliveRequests ? "limit of requests reached" : "as the client asked";
  }

  #finish(exchange: Exchange): void {
    if (exchange.plan === undefined) {
      this.#recover(exchange, new Error("a request was left without a response"));
      return;
    }
    this.#isHandling = false;
    this.#record(exchange);
    if (this.#state.kind === "closed") this.#onGone(this);
    if (this.#state.kind !== "answering") return;
    const { body } = exchange;
    if (this.#isLastOfClient(exchange)) this.#close(exchange.closeCause, "finish");
    else if (exchange.closeCause !== undefined || exchange.outcome !== "sent") this.#close(exchange.closeCause);
    else if (body === undefined || body.isComplete) this.#becomeIdle();
    else {
      const deadline = this.#in(this.#context.limits.bodyTimeout);
      this.#state = { kind: "dropping-body", body, left: MAX_DROPPED_BODY, deadline };
    }
  }

  /**
   * Whether the client announced its last request (RFC 9112 §9.6), so that we need not wait for its end. Excludes
   * requests with a body: some old clients send an empty line after it (RFC 9112 §2.2).
   */
  #isLastOfClient({ closeCause, body, outcome }: Exchange): boolean {
    const isAsked = closeCause === "as the client asked" && body === undefined && outcome === "sent";
    return isAsked && this.#waiting.length === 0 && this.#unreadBytes === 0;
  }

  #finishLater(exchange: Exchange): void {
    this.#finish(exchange);
    this.#advance();
    if (this.#waiting.length <= MAX_WAITING) this.#resume();
    if (this.#hasEnded && this.#isReading()) this.#close("the client closed its side");
  }

  /** An error of our own: the client gets a 500 if that is still possible, and the connection ends. */
  #recover(exchange: Exchange, fault: unknown): void {
    this.#isHandling = false;
    this.#context.onFault(fault);
    if (exchange.plan === undefined && this.#state.kind === "answering") {
      this.#refuse({ status: 500, reason: "internal-error" }, exchange.head.requestLine, exchange.head);
      return;
    }
    this.#record(exchange);
    this.#cut();
  }

  /** An error outside any handler: the client can get no answer. */
  #abandon(fault: unknown): void {
    this.#context.onFault(fault);
    this.#cut();
  }

  #cut(): void {
    if (this.#state.kind === "closed") this.#onGone(this);
    else this.#transport.destroy();
  }

  #record(exchange: Exchange): void {
    const { plan, head, outcome = "cut" } = exchange;
    if (plan === undefined) return;
    this.#context.service.record({
      peer: exchange.peer,
      requestLine: head.requestLine,
      head,
      status: plan.status,
      reason: exchange.cutReason ?? plan.reason,
      bodyBytes: outcome === "sent" ? bodyLength(plan.body) : this.#sender.bodyBytesSent,
      outcome,
      user: exchange.user,
      receivedAt: exchange.receivedAt,
      duration: milliseconds(this.#context.clock.monotonic() - exchange.startedAt),
    });
  }

  /** Answers what is not, or no longer, an exchange, and closes. @returns true, for callers that end with it */
  #refuse(refusal: Refusal, requestLine: string, head?: RequestHead): true {
    const { service, clock } = this.#context;
    const receivedAt = clock.wall();
    const plan = service.planRefusal(refusal, head);
    const record = (outcome: SendOutcome): void =>
      service.record({
        peer: head === undefined ? this.#transport.peer : this.#peerOf(head),
        requestLine,
        head,
        status: plan.status,
        reason: plan.reason,
        bodyBytes: outcome === "sent" ? bodyLength(plan.body) : this.#sender.bodyBytesSent,
        outcome,
        user: undefined,
        receivedAt,
        duration: milliseconds(0),
      });
    // A page of some hundred bytes; if even that must wait for the client, lingering waits with it.
    const sending = this.#sender.send(plan, "close", toUnixSeconds(receivedAt));
    if (typeof sending === "string") record(sending);
    else sending.then(record).catch((fault) => this.#abandon(fault));
    this.#close();
    return true;
  }

  /** An end of the client's side looks the same whether the client waits for its answer or has left. */
  #hasProbablyLeft({ body, plan }: Exchange, now: Milliseconds): boolean {
    if (!this.#hasEnded || body !== undefined || plan !== undefined || now < this.#endedAt + LEFT_AFTER) return false;
    return this.#context.hasWaitingTasks?.() ?? false;
  }

  #sweepAnswer(state: Extract<State, { kind: "answering" }>, now: Milliseconds): void {
    const { exchange, pace } = state;
    if (this.#hasProbablyLeft(exchange, now)) exchange.lose();
    if (this.#sender.isStalled(now)) {
      exchange.cutReason = "send-timeout";
      this.#trace?.timedOut("the client takes nothing");
      this.#transport.reset();
      return;
    }
    const fault = exchange.body?.isAwaited === true ? pace?.faultAt(now) : undefined;
    if (fault === undefined) return;
    this.#trace?.timedOut(fault === "body-timeout" ? "half a request body" : "a request body that is too slow");
    exchange.body?.fail({ status: 408, reason: fault });
  }

  // ---- between requests, and the end

  #becomeIdle(): void {
    if (this.#context.phase() === "stopping" && this.#waiting.length === 0) {
      this.#close("the server is stopping");
      return;
    }
    const { idleTimeout, proxyTimeout } = this.#context.limits;
    const earliest = milliseconds(this.#context.clock.monotonic() + idleTimeout + IDLE_GRACE_MS);
    const extra = this.#isProxy ? Math.max(0, proxyTimeout - idleTimeout) : 0;
    this.#state = { kind: "idle", deadline: milliseconds(earliest + extra), earliest };
  }

  /**
   * Closes our side; the transport closes when the client has closed too, or after a while.
   * @param cause  why a connection that served requests ends; undefined where an error was already reported
   * @param how  `linger` drops what still arrives; `finish` closes both sides, for a client that sends no more
   */
  #close(cause?: CloseCause, how: "linger" | "finish" = "linger"): void {
    if (this.#state.kind === "lingering" || this.#state.kind === "closed") return;
    if (cause !== undefined && this.#served > 0) this.#trace?.closing(cause);
    this.#waiting.consume(this.#waiting.length);
    this.#state = { kind: "lingering", left: MAX_LINGER_BYTES, deadline: this.#lingerDeadline() };
    if (how === "finish") {
      this.#transport.finish();
      return;
    }
    this.#transport.end();
    this.#resume();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#transport.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#transport.resume();
  }

  #lingerDeadline(): Milliseconds {
    return this.#in(this.#context.phase() !== "serving" ? LINGER_TIME_WHEN_DRAINING : LINGER_TIME);
  }

  #in(time: Milliseconds): Milliseconds {
    return milliseconds(this.#context.clock.monotonic() + time);
  }
}
