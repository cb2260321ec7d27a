/**
 * What visitors ask for, and what the right answer is, to the byte.
 */
import { createHash } from "node:crypto";
import { latin1 } from "./raw-client.ts";
import { makeDocument } from "./upload-client.ts";

export interface Reply {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export interface Errand {
  readonly requestLine: string;
  /** Field lines, each with its end. */
  readonly fields: string;
  readonly body: Buffer | undefined;
  /** @returns what is wrong with the answer; undefined when nothing is */
  readonly judge: (reply: Reply) => string | undefined;
}

/** Fetches what is known. */
export function fetching(path: string, content: Buffer, fields = ""): Errand {
  return {
    requestLine: `GET ${path} HTTP/1.1`,
    fields,
    body: undefined,
    judge: ({ status, body }) => {
      if (status !== 200) return `${path} was answered ${status}: ${latin1(body.subarray(0, 300))}`;
      return body.equals(content) ? undefined : `${path} came with wrong bytes (${body.length})`;
    },
  };
}

/** A listing has a date in its fields only: its body is the same each time. */
export function listing(path: string, names: readonly string[]): Errand {
  return {
    requestLine: `GET ${path} HTTP/1.1`,
    fields: "Accept: application/json\r\n",
    body: undefined,
    judge: ({ status, body }) => {
      if (status !== 200) return `${path} was answered ${status}: ${latin1(body.subarray(0, 300))}`;
      const { entries } = JSON.parse(body.toString()) as { readonly entries: readonly { readonly name: string }[] };
      const found = entries.map(({ name }) => name).toSorted();
      return found.join() === names.toSorted().join() ? undefined : `${path} lists ${found.join()}`;
    },
  };
}

let serial = 0;

/** @param onStored  is given the path of each document that was acknowledged, and its hash */
export function uploading(size: number, onStored: (path: string, hash: string) => void = () => undefined): Errand {
  serial += 1;
  const body = makeDocument(serial, size);
  const hash = createHash("sha256").update(body).digest("hex");
  return {
    requestLine: "POST /upload HTTP/1.1",
    fields: `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`,
    body,
    judge: (reply) => {
      if (reply.status !== 201) return `an upload was answered ${reply.status}: ${latin1(reply.body.subarray(0, 300))}`;
      const receipt = JSON.parse(reply.body.toString()) as { readonly sha256: string; readonly filepath: string };
      if (receipt.sha256 !== hash) return `the receipt is for another document: ${reply.body}`;
      onStored(receipt.filepath, hash);
      return undefined;
    },
  };
}
