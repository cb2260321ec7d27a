/**
 * An event log that keeps what it is told, with its level before it.
 */
import type { Events } from "../../src/observe/log.ts";

export class MemoryEvents implements Events {
  readonly all: string[] = [];
  error(text: string): void {
    this.all.push(`error: ${text}`);
  }
  warn(text: string): void {
    this.all.push(`warn: ${text}`);
  }
  info(text: string): void {
    this.all.push(`info: ${text}`);
  }
  debug(text: string): void {
    this.all.push(`debug: ${text}`);
  }

  /** All but those for debugging, since the last call. */
  take(): readonly string[] {
    return this.all.splice(0).filter((event) => !event.startsWith("debug: "));
  }
}
