/**
 * One connection that speaks enough HTTP/1.1 for the trials: one request at a time, the answer read while the body is
 * still being sent, every wait bounded.
 */
import { connect } from "node:net";

const PATIENCE_MS = 30_000;
const PIECE_BYTES = 64 * 1024;

export class Client {
  #socket;
  #reader;
  #settle;
  #ending;

  static connect(port) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Client(socket));
      });
    });
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => this.#end(error.code));
    socket.on("close", () => this.#end("closed"));
  }

  get isOpen() {
    return this.#ending === undefined;
  }

  close() {
    this.#socket.destroy();
  }

  /**
   * Sends a request and reads its answer.
   *
   * @param body  bytes, or an iterable of pieces (also asynchronous) with their `length` beside it
   * @param chunked  sends the body in the chunked coding
   * @param patience  milliseconds within which the answer must be complete
   * @returns status, fields (names in lower case), body, `closes` and `firstByte` (milliseconds after sending began)
   * @throws when there is no complete answer
   */
  async exchange({
    method = "GET",
    path,
    fields = {},
    body,
    length = body?.length,
    chunked = false,
    patience = PATIENCE_MS,
  }) {
    const lines = [`${method} ${path} HTTP/1.1`, "Host: localhost"];
    for (const [name, value] of Object.entries(fields)) lines.push(`${name}: ${value}`);
    if (body !== undefined) lines.push(chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`);
    const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);

    const began = performance.now();
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${method} ${path}: no complete answer in ${patience} ms`));
        this.#socket.destroy();
      }, patience);
      this.#reader = new AnswerReader(method);
      this.#settle = (found) => {
        clearTimeout(timer);
        this.#settle = undefined;
        if (typeof found === "string") reject(new Error(`${method} ${path}: ${found} before the answer was complete`));
        else resolve(found);
      };
      if (this.#ending !== undefined) this.#settle(this.#ending);
    });
    // Sending may fail because the server has answered and closed: what counts is the answer.
    const sending = body === undefined ? this.#write(head) : this.#sendBody(head, body, chunked);
    const found = await answer;
    if (!found.closes) await sending;
    return { ...found, firstByte: found.firstByteAt - began };
  }

  async #sendBody(head, body, chunked) {
    const pieces = Buffer.isBuffer(body) ? cut(body) : body;
    let before = head;
    for await (const piece of pieces) {
      const framed = chunked ? [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")] : [piece];
      await this.#write(Buffer.concat([before, ...framed]));
      if (this.#ending !== undefined) return;
      before = Buffer.alloc(0);
    }
    if (chunked) await this.#write(Buffer.from("0\r\n\r\n"));
  }

  #write(bytes) {
    return new Promise((resolve) => {
      if (this.#ending !== undefined || this.#socket.destroyed) resolve();
      else this.#socket.write(bytes, () => resolve());
    });
  }

  #receive(chunk) {
    const answer = this.#reader?.push(chunk);
    if (answer === undefined) return;
    this.#reader = undefined;
    if (answer.closes) this.#socket.destroy();
    this.#settle?.(answer);
  }

  #end(why) {
    this.#ending ??= why;
    this.#settle?.(why);
  }
}

function* cut(bytes) {
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) yield bytes.subarray(start, start + PIECE_BYTES);
}

/** Reads one answer from pieces of any size, in time proportional to its length. */
class AnswerReader {
  #method;
  #unread = Buffer.alloc(0);
  #answer;
  #pieces = [];
  /** Bytes of the body, or of its chunk, that are still to come. */
  #left = 0;
  #isChunked = false;
  #isInTrailer = false;
  #firstByteAt;

  constructor(method) {
    this.#method = method;
  }

  /** @returns the answer, once it is complete */
  push(chunk) {
    this.#firstByteAt ??= performance.now();
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    while (this.#answer === undefined) {
      const line = this.#take("\r\n\r\n");
      if (line === undefined) return undefined;
      this.#readHead(line);
    }
    return this.#isChunked ? this.#readChunks() : this.#readBody();
  }

  #readHead(text) {
    const [statusLine, ...lines] = text.split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no status line: ${statusLine}`);
    // An interim answer: the final one follows.
    if (status < 200) return;
    const fields = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const closes = fields.get("connection") === "close";
    this.#answer = { status, fields, closes, firstByteAt: this.#firstByteAt };
    const hasNoBody = this.#method === "HEAD" || status === 204 || status === 304;
    this.#isChunked = !hasNoBody && fields.get("transfer-encoding") === "chunked";
    this.#left = hasNoBody ? 0 : Number(fields.get("content-length") ?? 0);
  }

  #readBody() {
    this.#takeData();
    return this.#left === 0 ? this.#complete() : undefined;
  }

  #readChunks() {
    for (;;) {
      if (this.#left > 0) {
        this.#takeData();
        if (this.#left > 0) return undefined;
      }
      // What ends a chunk is read as an empty line before the next size.
      const line = this.#take("\r\n");
      if (line === undefined) return undefined;
      if (this.#isInTrailer && line === "") return this.#complete();
      if (this.#isInTrailer || line === "") continue;
      this.#left = Number.parseInt(line, 16);
      this.#isInTrailer = this.#left === 0;
    }
  }

  #take(end) {
    const at = this.#unread.indexOf(end);
    if (at < 0) return undefined;
    const text = this.#unread.toString("latin1", 0, at);
    this.#unread = this.#unread.subarray(at + end.length);
    return text;
  }

  #takeData() {
    const piece = this.#unread.subarray(0, this.#left);
    this.#unread = this.#unread.subarray(piece.length);
    this.#left -= piece.length;
    this.#pieces.push(piece);
  }

  #complete() {
    return { ...this.#answer, body: Buffer.concat(this.#pieces) };
  }
}
