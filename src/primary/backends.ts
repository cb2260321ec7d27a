/**
 * Where the backends of terminators are: their names are looked up by the primary, at the start and again and again, because
 * an enclosed worker may see neither the network's names nor the files that have them.
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

/** Every address of a name, the preferred first; rejects where it is not known. A name that is an address is its own. */
export type LookUp = (name: string) => Promise<readonly string[]>;

const lookUpHere: LookUp = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

/** @throws StartupError for a name that is not known */
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
  /** Unless a test has its own. */
  readonly lookUp?: LookUp;
}

/** Looks names up anew, and tells when one leads elsewhere. A name that is no longer known keeps its addresses. */
export class BackendWatch {
  readonly #parts: BackendWatchParts;
  readonly #timer: NodeJS.Timeout | undefined;
  #places: BackendEndpoints;
  #isLooking = false;
  #isClosed = false;
  /** What the last look complained of, so that it is not told again and again. */
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
      // Whoever has closed it meanwhile has others, or none.
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

  /** One name that is not known must not hold up the others. */
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

/** The same text for the same places, in whatever order a name server gives them. */
function describe(places: BackendEndpoints): string {
  return [...places].map(([name, each]) => `${name} at ${each.map(backAddress.format).sort().join(" ")}`).join(", ");
}
