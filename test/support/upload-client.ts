/**
 * A client that uploads documents and reads answers whole.
 */
import { latin1, type RawClient } from "./raw-client.ts";

export interface Answer {
  readonly status: number;
  /** The value of a field; undefined without it. */
  field(name: string): string | undefined;
  readonly body: Buffer;
}

/** What a 201 promises. */
export interface StoredUpload {
  readonly name: string;
  readonly sha256: string;
}

/** About `size` bytes of JSON, unlike that of any other serial. */
export function makeDocument(serial: number, size: number): Buffer {
  const filler = Array.from({ length: Math.ceil(size / 8) }, (_, index) => 100_000 + (index % 900_000));
  return Buffer.from(JSON.stringify({ serial, filler }));
}

export function sendUpload(client: RawClient, document: Buffer): void {
  const head = `POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${document.length}`;
  client.send(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), document]));
}

/** Of an answer whose length is told. @throws when it does not come, or not whole */
export async function readAnswer(client: RawClient): Promise<Answer> {
  const head = latin1(await client.readHead());
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)\r$`, "m").exec(head)?.[1];
  const body = await client.readBytes(Number(field("Content-Length")));
  return { status: Number(head.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length)), field, body };
}

/** @throws where a 201 does not say what it must */
export function readReceipt({ status, field, body }: Answer): StoredUpload {
  const reply: unknown = JSON.parse(body.toString());
  const { filepath, sha256 } = reply as { readonly filepath?: unknown; readonly sha256?: unknown };
  const name = /^\/uploads\/(upload_\d{8}_\d{6}_[0-9a-z]+\.json)$/.exec(String(filepath))?.[1];
  if (status !== 201 || name === undefined || typeof sha256 !== "string" || field("Location") !== filepath) {
    throw new Error(`not a receipt: ${status} ${body}`);
  }
  return { name, sha256 };
}
