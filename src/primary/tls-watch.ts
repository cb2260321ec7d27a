/**
 * Reloads changed certificates without a restart. Files are checked periodically and read once they no longer change: a
 * certificate and its key are seldom replaced at the same moment. New ticket keys of the primary are sent too, and
 * staples that have expired are dropped.
 */
import { StartupError } from "../base/errors.ts";
import type { Events } from "../observe/log.ts";
import { describeThrown } from "../observe/thrown.ts";
import type { TicketRing } from "../tls/ticket-ring.ts";
import type { TlsMaterials } from "../tls/tls-identity.ts";
import type { TlsSpecs } from "../tls/tls-specs.ts";
import type { TicketKeys } from "./ticket-keys.ts";
import {
  describeTlsFiles,
  introduceTickets,
  type LoadedTls,
  loadTls,
  withoutExpired,
  withTickets,
} from "./tls-files.ts";

const LOOK_MS = 5000;

export interface TlsWatchParts {
  readonly specs: TlsSpecs;
  readonly loaded: LoadedTls;
  readonly tickets: TicketKeys;
  readonly events: Events;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onRenewed: (materials: TlsMaterials) => void;
}

export class TlsWatch {
  readonly #parts: TlsWatchParts;
  readonly #timer: NodeJS.Timeout;
  /** State of the files at the last read, good or bad. */
  #readState: string;
  #seenState: string;
  /** What the files and the ticket keys give. */
  #materials: TlsMaterials;
  /** In use: differs from `#materials` while a new ticket key only decrypts. */
  #published: TlsMaterials;
  #ticketKeys: TicketRing;

  constructor(parts: TlsWatchParts) {
    this.#parts = parts;
    this.#readState = parts.loaded.state;
    this.#seenState = parts.loaded.state;
    this.#materials = parts.loaded.materials;
    this.#published = parts.loaded.materials;
    this.#ticketKeys = parts.loaded.tickets;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Reads changed files when two checks in a row find the same state. */
  look(): void {
    const { specs, tickets } = this.#parts;
    if (this.#published !== this.#materials) this.#renew(this.#materials);
    this.#dropExpired();
    const state = describeTlsFiles(specs);
    const isResting = state === this.#seenState;
    this.#seenState = state;
    if (isResting && state !== this.#readState) this.#read(state);
    if (usesTickets(specs) && tickets.current !== this.#ticketKeys) {
      this.#ticketKeys = tickets.current;
      this.#renew(withTickets(this.#materials, specs, this.#ticketKeys));
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #read(state: string): void {
    const { specs, events } = this.#parts;
    this.#readState = state;
    try {
      const loaded = loadTls(specs, this.#ticketKeys, this.#parts.now());
      this.#renew(loaded.materials);
      events.info(`certificates reloaded: ${loaded.files.join(", ")}`);
      for (const warning of loaded.warnings) events.warn(warning);
    } catch (error) {
      const why = error instanceof StartupError ? error.message : describeThrown(error);
      events.error(`cannot reload certificates, keeping the old ones: ${why}`);
    }
  }

  #dropExpired(): void {
    const { materials, warnings } = withoutExpired(this.#materials, this.#parts.now());
    if (materials !== this.#materials) this.#renew(materials);
    for (const warning of warnings) this.#parts.events.warn(warning);
  }

  #renew(materials: TlsMaterials): void {
    this.#materials = materials;
    this.#published = introduceTickets(this.#published, materials);
    this.#parts.onRenewed(this.#published);
  }
}

/** Whether any side uses the primary's ticket keys. */
function usesTickets(specs: TlsSpecs): boolean {
  return [...specs.values()].some(({ side, ticketKeyFiles }) => side === "server" && ticketKeyFiles.length === 0);
}
