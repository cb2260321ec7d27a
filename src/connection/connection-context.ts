/**
 * What connections are given: their limits, and what all of them share.
 */
import type { Clock } from "../base/clock.ts";
import type { Bytes, Milliseconds } from "../base/units.ts";
import type { Service } from "../http/exchange.ts";
import type { FieldBlocks } from "../http/field-blocks.ts";
import type { HeadLimits } from "../http/request-parser.ts";
import type { BufferPool } from "./buffer-pool.ts";

export interface ConnectionLimits extends HeadLimits {
  readonly maxBody: Bytes;
  readonly keepaliveRequests: number;
  /** Between two requests. */
  readonly idleTimeout: Milliseconds;
  readonly headerTimeout: Milliseconds;
  /** Without a byte of the body. */
  readonly bodyTimeout: Milliseconds;
  /** Without a byte taken by the client. */
  readonly sendTimeout: Milliseconds;
}

/**
 * Where the process is in its life. Once it is leaving, answers close their connection. `stopping`: an idle connection
 * closes at once. `handing-over`: another process serves already, so an idle connection may wait for its last request.
 */
export type ServingPhase = "serving" | "handing-over" | "stopping";

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly service: Service;
  readonly limits: ConnectionLimits;
  readonly fieldBlocks: FieldBlocks;
  readonly clock: Clock;
  readonly buffers: BufferPool;
  /** Whose X-Forwarded-For is trusted; undefined where no proxy's is. */
  readonly isTrustedProxy?: ((address: string) => boolean) | undefined;
  phase(): ServingPhase;
  /** A fault of our own: logged with its stack. */
  onFault(fault: unknown): void;
  /** Called with a line for what each connection does; undefined below the log level debug. */
  readonly trace?: ((text: string) => void) | undefined;
}
