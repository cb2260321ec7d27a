/**
 * Clients that ask and ask until they are told to stop, and judge every answer: on connections that they keep, or on a new
 * one for each request. What is not answered rightly and completely is a fault, with the port it was asked from.
 *
 * A server may close a kept connection after it has said so with an answer; then its client connects anew. One that is
 * closed otherwise while a request is on its way is a fault.
 */
import { connect, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { Errand, Reply } from "./errands.ts";
import { randomFor } from "./seed.ts";

export type Manner =
  /** One request after the other on one connection. */
  | { readonly kind: "keeping" }
  /** The same with pauses of up to so many milliseconds. */
  | { readonly kind: "pausing"; readonly longest: number }
  /** A connection for each request, which the client asks to close. */
  | { readonly kind: "fresh" };

export interface VisitFault {
  readonly what: string;
  /** The client's end of the connection; undefined where there was none. */
  readonly clientPort: number | undefined;
}

export interface VisitOptions {
  readonly port: number;
  readonly host?: string;
  /** One client each. */
  readonly manners: readonly Manner[];
  /** Called for each request. */
  readonly errand: (visitor: number, turn: number) => Errand;
}

const PATIENCE_MS = 60_000;

export class Visitors {
  readonly faults: VisitFault[] = [];
  readonly #options: VisitOptions;
  readonly #ending: Promise<unknown>;
  #answered = 0;
  #connections = 0;
  #closedAfterWord = 0;
  #isStopping = false;

  constructor(options: VisitOptions) {
    this.#options = options;
    this.#ending = Promise.all(options.manners.map((manner, visitor) => this.#visit(manner, visitor)));
  }

  /** Requests that were answered rightly. */
  get answered(): number {
    return this.#answered;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Kept connections of which the server has said that it closes them. */
  get closedAfterWord(): number {
    return this.#closedAfterWord;
  }

  /** The first few faults in words, for a test to say that there are none. */
  get complaints(): readonly string[] {
    const first = this.faults.slice(0, 5).map(({ what }) => what);
    return this.faults.length > first.length ? [...first, `and ${this.faults.length - first.length} more`] : first;
  }

  /** Lets every client finish the request it has under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ending;
  }

  async #visit(manner: Manner, visitor: number): Promise<void> {
    const random = randomFor(`visitor ${visitor}`);
    let connection: Conversation | undefined;
    for (let turn = 0; !this.#isStopping; turn += 1) {
      const errand = this.#options.errand(visitor, turn);
      try {
        if (connection === undefined) {
          connection = await Conversation.open(this.#options.port, this.#options.host);
          this.#connections += 1;
        }
        const reply = await connection.ask(errand, manner.kind === "fresh");
        const wrong = errand.judge(reply);
        if (wrong === undefined) this.#answered += 1;
        else this.faults.push({ what: wrong, clientPort: connection.clientPort });
        if (reply.fields.get("connection") === "close") {
          if (manner.kind !== "fresh") this.#closedAfterWord += 1;
          connection.leave();
          connection = undefined;
        }
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.faults.push({ what: `${errand.requestLine}: ${why}`, clientPort: connection?.clientPort });
        connection?.leave();
        connection = undefined;
        // A server that refuses would be asked a million times.
        await setTimeout(1);
      }
      if (manner.kind === "pausing" && !this.#isStopping) await setTimeout(random() * manner.longest);
    }
    connection?.leave();
  }
}

/** Makes one request on a connection of its own. @throws when it is not answered completely */
export async function ask(port: number, errand: Errand, host?: string): Promise<Reply> {
  const connection = await Conversation.open(port, host);
  try {
    return await connection.ask(errand, true);
  } finally {
    connection.leave();
  }
}

/** One connection, and one request at a time on it. */
class Conversation {
  readonly clientPort: number | undefined;
  readonly #socket: Socket;
  #arrived: Buffer[] = [];
  #length = 0;
  #ending: string | undefined;
  #look: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.clientPort = socket.localPort;
    socket.on("data", (chunk) => {
      this.#arrived.push(chunk);
      this.#length += chunk.length;
      this.#look();
    });
    socket.on("error", (error) => this.#end("code" in error ? String(error.code) : error.message));
    socket.on("end", () => this.#end("closed by the server"));
    socket.on("close", () => this.#end("closed"));
  }

  static open(port: number, host = "127.0.0.1"): Promise<Conversation> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Conversation(socket));
      });
    });
  }

  /** @throws when the answer is not complete, or more than that comes */
  ask({ requestLine, fields, body }: Errand, isLast: boolean): Promise<Reply> {
    const head = `${requestLine}\r\nHost: localhost\r\n${isLast ? "Connection: close\r\n" : ""}${fields}\r\n`;
    this.#socket.write(body === undefined ? head : Buffer.concat([Buffer.from(head), body]));
    let reply: Omit<Reply, "body"> | undefined;
    let wanted = 0;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(late);
        this.#look = () => undefined;
      };
      const fail = (why: string): void => {
        settle();
        reject(new Error(`${why} after ${this.#length} bytes of the answer`));
      };
      const late = globalThis.setTimeout(() => fail(`no answer in ${PATIENCE_MS} ms`), PATIENCE_MS);
      this.#look = () => {
        if (reply === undefined) {
          const bytes = this.#joined();
          const end = bytes.indexOf("\r\n\r\n");
          if (end >= 0) {
            reply = readHead(bytes.toString("latin1", 0, end));
            const isBodiless = requestLine.startsWith("HEAD ");
            wanted = end + 4 + (isBodiless ? 0 : Number(reply.fields.get("content-length")));
          }
        }
        if (reply !== undefined && this.#length >= wanted) {
          const bytes = this.#joined();
          this.#arrived = [];
          this.#length = 0;
          settle();
          if (bytes.length > wanted) reject(new Error(`${bytes.length - wanted} bytes more than the answer`));
          else resolve({ ...reply, body: bytes.subarray(bytes.indexOf("\r\n\r\n") + 4) });
        } else if (this.#ending !== undefined) fail(this.#ending);
        else if (Number.isNaN(wanted)) fail("no length");
      };
      this.#look();
    });
  }

  leave(): void {
    this.#socket.destroy();
  }

  #end(how: string): void {
    this.#ending ??= how;
    this.#look();
  }

  #joined(): Buffer {
    const [first] = this.#arrived;
    if (this.#arrived.length !== 1 || first === undefined) {
      const bytes = Buffer.concat(this.#arrived, this.#length);
      this.#arrived = [bytes];
      return bytes;
    }
    return first;
  }
}

function readHead(text: string): Omit<Reply, "body"> {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status, fields: new Map(fields) };
}
