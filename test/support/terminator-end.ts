/**
 * One end of a tunnel through a TLS terminator, in the hands of a test: the client's, or that of the backend.
 *
 * It is never closed by itself: who has said that nothing more comes still gets what the other says.
 */
import type { Socket } from "node:net";
import { errorCode } from "../../src/base/errors.ts";

/** How the other side has ended: in good order, or with an error or a close without an end, whose words these are. */
export type Ending = { readonly kind: "ended" } | { readonly kind: "lost"; readonly why: string };

const PATIENCE_MS = 60_000;
/** What a failure tells of what has arrived. */
const TOLD_BYTES = 500;
const ENDED: Ending = { kind: "ended" };

export class HeldEnd {
  readonly socket: Socket;
  /** Put together only when somebody looks: there may be many. */
  #chunks: Buffer[] = [];
  #length = 0;
  #ending: Ending | undefined;
  #look: () => void = () => undefined;

  /** @param socket  with half-open ends allowed; it is the end's from now on */
  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#look();
    });
    socket.on("end", () => this.#end(ENDED));
    socket.on("error", (error) => this.#end({ kind: "lost", why: errorCode(error) ?? error.message }));
    socket.on("close", () => this.#end({ kind: "lost", why: "closed without an end" }));
  }

  /** What has arrived and nobody has taken. */
  get arrived(): Buffer {
    const whole = Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Says that nothing more comes, perhaps after last bytes: FIN, over TLS with close_notify. */
  end(bytes: string | Uint8Array = ""): void {
    this.socket.end(bytes);
  }

  /** Leaves at once. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Takes what comes next. @throws when less than that comes */
  async take(length: number): Promise<Buffer> {
    await this.#wait(`${length} bytes`, () => this.#length >= length || undefined);
    const { arrived } = this;
    this.#chunks = [arrived.subarray(length)];
    this.#length -= length;
    return arrived.subarray(0, length);
  }

  /** Takes what `length` counts, once it can tell. @throws when it never can */
  async takeOnce(what: string, length: (arrived: Buffer) => number | undefined): Promise<Buffer> {
    return this.take(await this.#wait(what, () => length(this.arrived)));
  }

  /** Takes all that comes until the other side ends in good order. @throws when it does not */
  async takeRest(): Promise<Buffer> {
    await this.#wait("the end", () => (this.#ending?.kind === "ended" ? true : undefined));
    return this.take(this.#length);
  }

  /** How the other side ends, whatever comes before. */
  ending(): Promise<Ending> {
    return this.#wait("the end, of any kind", () => this.#ending);
  }

  #end(how: Ending): void {
    this.#ending ??= how;
    this.#look();
  }

  #wait<Found>(what: string, found: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(late);
        this.#look = () => undefined;
      };
      const fail = (why: string): void => {
        settle();
        const arrived = JSON.stringify(this.arrived.toString("latin1", 0, TOLD_BYTES));
        reject(new Error(`waiting for ${what}: ${why}; arrived: ${arrived}`));
      };
      const late = setTimeout(() => fail(`nothing more for ${PATIENCE_MS} ms`), PATIENCE_MS);
      this.#look = () => {
        const it = found();
        if (it !== undefined) {
          settle();
          resolve(it);
        } else if (this.#ending !== undefined) fail(this.#ending.kind === "lost" ? this.#ending.why : "it ended");
      };
      this.#look();
    });
  }
}
