/**
 * Certificates that change are taken up without a restart: their files are looked at now and then, and read when they have
 * changed and rest again, because a certificate and its key are seldom replaced in one moment. Ticket keys that the primary
 * makes anew go the same way.
 */
import { StartupError } from "../base/errors.ts";
import type { Events } from "../observe/log.ts";
import { describeThrown } from "../observe/thrown.ts";
import type { TlsMaterials } from "../tls/tls-identity.ts";
import type { TlsSpecs } from "../tls/tls-specs.ts";
import type { TicketKeys } from "./ticket-keys.ts";
import { describeTlsFiles, type LoadedTls, loadTls, withTickets } from "./tls-files.ts";

const LOOK_MS = 5000;

export interface TlsWatchParts {
  readonly specs: TlsSpecs;
  readonly loaded: LoadedTls;
  readonly tickets: TicketKeys;
  readonly events: Events;
  readonly onRenewed: (materials: TlsMaterials) => void;
}

export class TlsWatch {
  readonly #parts: TlsWatchParts;
  readonly #timer: NodeJS.Timeout;
  /** Of the files as they were read last, good or bad. */
  #readState: string;
  #seenState: string;
  /** In force. */
  #materials: TlsMaterials;
  #ticketKeys: Uint8Array;

  constructor(parts: TlsWatchParts) {
    this.#parts = parts;
    this.#readState = parts.loaded.state;
    this.#seenState = parts.loaded.state;
    this.#materials = parts.loaded.materials;
    this.#ticketKeys = parts.tickets.current;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** One look; the files are read at the second look that finds them so. */
  look(): void {
    const { specs, tickets } = this.#parts;
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
      const loaded = loadTls(specs, this.#ticketKeys, Date.now());
      this.#renew(loaded.materials);
      events.info(`certificates reloaded: ${loaded.files.join(", ")}`);
      for (const warning of loaded.warnings) events.warn(warning);
    } catch (error) {
      const why = error instanceof StartupError ? error.message : describeThrown(error);
      events.error(`cannot reload certificates, keeping the old ones: ${why}`);
    }
  }

  #renew(materials: TlsMaterials): void {
    this.#materials = materials;
    this.#parts.onRenewed(materials);
  }
}

/** Whether anybody seals tickets with the primary's keys. */
function usesTickets(specs: TlsSpecs): boolean {
  return [...specs.values()].some(({ side, ticketKeyFile }) => side === "server" && ticketKeyFile === undefined);
}
