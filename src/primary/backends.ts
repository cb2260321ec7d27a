/**
 * Looks up the backends of terminators: at the start and then periodically. The primary does this, because an enclosed
 * worker may see neither the DNS nor the files with names.
 */
import { lookup } from "node:dns/promises";
import type { Endpoint } from "../base/endpoint.ts";
import { StartupError } from "../base/errors.ts";
import { isBackendName } from "../config/listen-address.ts";
import type { Settings } from "../config/settings.ts";
import { backAddress } from "../config/terminator-options.ts";
import type { Events } from "../observe/log.ts";
import type { BackendEndpoints } from "../tunnel/backend.ts";

const LOOK_MS = 10_000;
type Terminators = Settings["terminators"];

/** All addresses of a name, preferred first; rejects an unknown name. An address resolves to itself. */
export type LookUp = (name: string) => Promise<readonly string[]>;
const lookUpHere: LookUp = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

/** @throws StartupError for an unknown name */
export async function findBackends(terminators: Terminators, lookUp: LookUp = lookUpHere): Promise<BackendEndpoints> {
  const found = [...terminators].map(
    async ([name, { backend }]) => [name, await findBackend(backend, lookUp)] as const,
  );
  return new Map(await Promise.all(found));
}

async function findBackend(backend: Endpoint, lookUp: LookUp): Promise<readonly Endpoint[]> {
  if (backend.kind === "unix") return [backend];
  const { host, port } = backend;
  try {
    const addresses = await lookUp(host);
    return addresses.map((address) => ({ kind: "tcp", host: address, port }));
  } catch (cause) {
    throw new StartupError(`backend ${backAddress.format(backend)}: the host name cannot be resolved`, { cause });
  }
}

export interface BackendWatchParts {
  readonly terminators: Terminators;
  readonly places: BackendEndpoints;
  readonly events: Events;
  readonly onMoved: (places: BackendEndpoints) => void;
  /** For tests. */
  readonly lookUp?: LookUp;
}

/** Looks names up again and reports changes. A name that is no longer known keeps its addresses. */
export class BackendWatch {
  readonly #parts: BackendWatchParts;
  readonly #timer: NodeJS.Timeout | undefined;
  #places: BackendEndpoints;
  #isLooking = false;
  #isClosed = false;
  /** The last warning, so that it is not repeated. */
  #complaint = "";

  constructor(parts: BackendWatchParts) {
    this.#parts = parts;
    this.#places = parts.places;
    const hasNames = [...parts.terminators.values()].some(
      ({ backend }) => backend.kind === "tcp" && isBackendName(backend.host),
    );
    if (hasNames) this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { events, onMoved } = this.#parts;
    try {
      const { places, complaints } = await this.#findWhatIsKnown();
      // After `close` another watch may be active: report nothing.
      if (this.#isClosed) return;
      if (describe(places) !== describe(this.#places)) {
        this.#places = places;
        events.info(`backend addresses have changed: ${describe(places)}`);
        onMoved(places);
      }
      const complaint = complaints.join(", ");
      if (complaint !== "" && complaint !== this.#complaint) events.warn(`${complaint}; keeping its last address`);
      this.#complaint = complaint;
    } finally {
      this.#isLooking = false;
    }
  }

  /** One unknown name must not hold up the others. */
  async #findWhatIsKnown(): Promise<{ readonly places: BackendEndpoints; readonly complaints: readonly string[] }> {
    const { terminators, lookUp = lookUpHere } = this.#parts;
    const complaints = new Set<string>();
    const found = [...terminators].map(async ([name, { backend }]) => {
      try {
        return [name, await findBackend(backend, lookUp)] as const;
      } catch (error) {
        complaints.add(error instanceof Error ? error.message : String(error));
        return [name, this.#places.get(name) ?? []] as const;
      }
    });
    return { places: new Map(await Promise.all(found)), complaints: [...complaints].sort() };
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }
}

/** The same text for the same addresses, in any order. */
function describe(places: BackendEndpoints): string {
  return [...places].map(([name, each]) => `${name} at ${each.map(backAddress.format).sort().join(" ")}`).join(", ");
}
