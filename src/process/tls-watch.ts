/**
 * Certificates that change are taken up without a restart: their files are looked at now and then, and read when they have
 * changed and rest again, because a certificate and its key are seldom replaced in one moment.
 */
import { StartupError } from "../base/errors.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { TlsMaterial } from "../net/tls-identity.ts";
import type { Events } from "../observe/log.ts";
import { describeThrown } from "../observe/thrown.ts";
import type { TicketKeys } from "./ticket-keys.ts";
import { describeTlsFiles, type LoadedTls, loadTls } from "./tls-files.ts";

const LOOK_MS = 5000;

export interface TlsWatchParts {
  readonly server: ServerSettings;
  readonly loaded: LoadedTls;
  readonly tickets: TicketKeys;
  readonly events: Events;
  readonly onRenewed: (material: TlsMaterial) => void;
}

export class TlsWatch {
  readonly #parts: TlsWatchParts;
  readonly #timer: NodeJS.Timeout;
  /** Of the files as they were read last, good or bad. */
  #readState: string;
  #seenState: string;
  /** In force. */
  #material: TlsMaterial;

  constructor(parts: TlsWatchParts) {
    this.#parts = parts;
    this.#readState = parts.loaded.state;
    this.#seenState = parts.loaded.state;
    this.#material = parts.loaded.material;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** One look; the files are read at the second look that finds them so. */
  look(): void {
    const { server, tickets } = this.#parts;
    const state = describeTlsFiles(server);
    const isResting = state === this.#seenState;
    this.#seenState = state;
    if (isResting && state !== this.#readState) this.#read(state);
    if (server.tlsTicketKeys === undefined && tickets.current !== this.#material.ticketKeys) {
      this.#renew({ ...this.#material, ticketKeys: tickets.current });
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #read(state: string): void {
    const { server, tickets, events } = this.#parts;
    this.#readState = state;
    try {
      const loaded = loadTls(server, tickets.current, Date.now());
      if (loaded === undefined) return;
      this.#renew(loaded.material);
      events.info(`certificates taken up: ${loaded.material.identities.map(({ file }) => file).join(", ")}`);
      for (const warning of loaded.warnings) events.warn(warning);
    } catch (error) {
      const why = error instanceof StartupError ? error.message : describeThrown(error);
      events.error(`changed certificates are not taken up, the old ones stay in force: ${why}`);
    }
  }

  #renew(material: TlsMaterial): void {
    this.#material = material;
    this.#parts.onRenewed(material);
  }
}
