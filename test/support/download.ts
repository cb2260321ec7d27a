/**
 * A client that downloads one file and takes it when the test says so: between head and body it stops reading, and the
 * server must wait.
 */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";

/** What arrived until the body was complete, or the connection ended. */
export interface Downloaded {
  readonly announced: number;
  readonly length: number;
  readonly sha256: string;
}

const PATIENCE_MS = 60_000;

export class Download {
  readonly head: string;
  readonly announced: number;
  readonly #socket: Socket;
  readonly #hash = createHash("sha256");
  #length = 0;

  private constructor(socket: Socket, head: string, firstBytes: Buffer) {
    this.#socket = socket;
    this.head = head;
    this.announced = Number(/^Content-Length: (\d+)\r$/m.exec(head)?.[1]);
    this.#take(firstBytes);
  }

  /** Asks for `path` with `Connection: close` and resolves when the head is there. Nothing more is read then. */
  static start(place: { readonly port: number; readonly host?: string }, path: string, fields = ""): Promise<Download> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", ...place, noDelay: true });
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${fields}\r\n`);
      let arrived = Buffer.alloc(0);
      const fail = (): void => reject(new Error(`no head; arrived: ${arrived.toString("latin1")}`));
      const read = (chunk: Buffer): void => {
        arrived = Buffer.concat([arrived, chunk]);
        const end = arrived.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.pause();
        socket.off("data", read).off("close", fail);
        resolve(new Download(socket, arrived.toString("latin1", 0, end + 2), arrived.subarray(end + 4)));
      };
      socket.on("data", read).on("close", fail).on("error", fail);
    });
  }

  /** Reads on to the end of the body or of the connection, whichever comes first, and leaves. */
  finish(): Promise<Downloaded> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#socket.destroy();
        reject(new Error(`${this.#length} of ${this.announced} bytes, and nothing more for ${PATIENCE_MS} ms`));
      }, PATIENCE_MS);
      const end = (): void => {
        clearTimeout(late);
        this.#socket.destroy();
        resolve({ announced: this.announced, length: this.#length, sha256: this.#hash.copy().digest("hex") });
      };
      this.#socket.on("data", (chunk) => {
        late.refresh();
        this.#take(chunk);
        if (this.#length >= this.announced) end();
      });
      this.#socket.once("end", end).once("close", end);
      if (this.#length >= this.announced) end();
      else this.#socket.resume();
    });
  }

  /** Goes away. */
  leave(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#length += chunk.length;
    this.#hash.update(chunk);
  }
}

export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
