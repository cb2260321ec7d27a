/**
 * When workers are replaced because their sandbox does not reach what they have to serve: a document root has moved, or an
 * upload directory was made again. Workers are not trusted: they only report that something is out of reach, and however
 * often they do, the machine is not busy with starting workers.
 */
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { Clock } from "../base/clock.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import type { Place } from "../system/former-places.ts";
import type { PreparedSandbox } from "../system/sandbox.ts";
import type { ConfinedAgain } from "./active-config.ts";

/** `useless`: nothing has changed that new workers could make use of. */
export type RenewalOutcome = "done" | "useless" | "failed";

/** After a renewal, so many times as long as it took: workers start for at most a fifth of the time. */
const REST_FACTOR = 4;
const MAX_REST_MS = 10_000;
/** After one that did not help; doubled each time. */
const FIRST_REST_IN_VAIN_MS = 1000;
const MAX_REST_IN_VAIN_MS = 60_000;
const MAX_REPORTED = 1000;

/** @param vain  how many renewals in a row did not help, the last one included */
export function decideRest(took: Milliseconds, vain: number): Milliseconds {
  if (vain === 0) return milliseconds(Math.min(took * REST_FACTOR, MAX_REST_MS));
  return milliseconds(Math.min(FIRST_REST_IN_VAIN_MS * 2 ** (vain - 1), MAX_REST_IN_VAIN_MS));
}

const MAX_DESCRIBED = 3;

/**
 * Why workers were replaced, in words.
 *
 * @param reported  what workers could not reach
 */
export function describeRenewal(
  { places: before }: Pick<PreparedSandbox, "places">,
  { places: now }: Pick<PreparedSandbox, "places">,
  reported: ReadonlySet<AbsolutePath>,
): string {
  const changes = [...reported].map((name) => {
    const [former, place] = [before.get(name), now.get(name)];
    if (place === undefined && now.has(name)) return `${name} is not a directory`;
    // Inside a chroot it has another name.
    if (place === undefined || isSamePlace(former, place)) return `${name} is within reach`;
    const isElsewhere = former !== undefined && former.path !== place.path;
    return isElsewhere ? `${name} leads to ${place.path} now` : `${name} was replaced`;
  });
  return listSome(changes);
}

/** What new workers would not reach either; empty when they reach all. @param notices  what could not be made */
export function describeUnreached(
  { kind, notices }: Pick<ConfinedAgain, "kind" | "notices">,
  reported: ReadonlySet<AbsolutePath>,
): readonly string[] {
  if (kind !== "same" || notices.length > 0) return notices;
  return [
    `the sandbox keeps worker processes from ${listSome([...reported])}, and would keep new ones from it: ` +
      "let the user who starts the server enter it, or set sandbox = no",
  ];
}

/** The first few. */
export function listSome(texts: readonly string[]): string {
  const more = texts.length - MAX_DESCRIBED;
  return [...texts.slice(0, MAX_DESCRIBED), ...(more > 0 ? [`${more} more`] : [])].join("; ");
}

function isSamePlace(one: Place | undefined, other: Place): boolean {
  return one?.path === other.path && one.inode === other.inode && one.device === other.device;
}

export interface RenewalParts {
  /** @param reported  what workers could not reach: only for the log. Never rejects */
  readonly renew: (reported: ReadonlySet<AbsolutePath>) => Promise<RenewalOutcome>;
  readonly clock: Pick<Clock, "monotonic">;
  /** By default a timer that does not keep the process alive. */
  readonly wait?: (time: Milliseconds, signal: AbortSignal) => Promise<void>;
}

export class SandboxRenewal {
  readonly #parts: Required<RenewalParts>;
  readonly #closing = new AbortController();
  readonly #reported = new Set<AbsolutePath>();
  #isUnderWay = false;
  #vain = 0;
  #restsUntil = milliseconds(0);

  constructor(parts: RenewalParts) {
    this.#parts = { wait: waitUnreferenced, ...parts };
  }

  /** What a worker of the active generation cannot reach. Reports during a renewal do not cause another. */
  report(places: readonly AbsolutePath[]): void {
    for (const place of places.slice(0, MAX_REPORTED - this.#reported.size)) this.#reported.add(place);
    if (this.#isUnderWay || this.#closing.signal.aborted) return;
    this.#isUnderWay = true;
    void this.#run();
  }

  /** No renewal begins after it. */
  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { clock, renew, wait } = this.#parts;
    const rest = milliseconds(this.#restsUntil - clock.monotonic());
    if (rest > 0) await wait(rest, this.#closing.signal);
    if (!this.#closing.signal.aborted) {
      const began = clock.monotonic();
      const outcome = await renew(new Set(this.#reported));
      const ended = clock.monotonic();
      this.#vain = outcome === "done" ? 0 : this.#vain + 1;
      this.#restsUntil = milliseconds(ended + decideRest(milliseconds(ended - began), this.#vain));
    }
    this.#reported.clear();
    this.#isUnderWay = false;
  }
}

async function waitUnreferenced(time: Milliseconds, signal: AbortSignal): Promise<void> {
  await setTimeout(time, undefined, { signal, ref: false }).catch(() => undefined);
}
