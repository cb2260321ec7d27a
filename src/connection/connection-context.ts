/** Limits and shared objects of connections. */
import type { Clock } from "../base/clock.ts";
import type { Bytes, Milliseconds } from "../base/units.ts";
import type { Service } from "../http/exchange.ts";
import type { FieldBlocks } from "../http/field-blocks.ts";
import type { HeadLimits } from "../http/request-parser.ts";
import type { PaceLimits } from "./body-pace.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { LimitEvents } from "./limit-report.ts";
import type { SendLimits } from "./response-sender.ts";

export interface ConnectionLimits extends HeadLimits, PaceLimits, SendLimits {
  readonly maxBody: Bytes;
  /** Between two requests of a proxy, if it is longer than `idleTimeout`. */
  readonly proxyTimeout: Milliseconds;
  readonly headerTimeout: Milliseconds;
}

/**
 * The life of the process. After `serving`, answers close their connection. `stopping`: an idle connection closes at
 * once. `handing-over`: another process serves already, so an idle connection may wait for its last request.
 * `outdated`: it may wait for a second only, because that answer may be out of date.
 */
export type ServingPhase = "serving" | "handing-over" | "outdated" | "stopping";

export interface ConnectionContext {
  readonly service: Service;
  readonly limits: ConnectionLimits;
  readonly fieldBlocks: FieldBlocks;
  readonly clock: Clock;
  readonly buffers: BufferPool;
  /** Proxies whose X-Forwarded-For is trusted; undefined for none. */
  readonly isTrustedProxy?: ((address: string) => boolean) | undefined;
  phase(): ServingPhase;
  /** Whether requests wait for a thread; undefined where there are none. */
  readonly hasWaitingTasks?: (() => boolean) | undefined;
  readonly events: LimitEvents;
  /** An error of our own: logged with its stack. */
  onFault(fault: unknown): void;
  /** Called with one line per action of a connection; undefined below the log level debug. */
  readonly trace?: ((text: string) => void) | undefined;
}
