/** A response as a value: everything about it except the writing. */
import type { Bytes, UnixSeconds } from "../base/units.ts";
import { chunkedLength } from "./chunked-encoder.ts";
import type { EntityTag } from "./entity-tag.ts";
import type { FileIdentity } from "./file-identity.ts";
import type { Reason } from "./reason.ts";
import type { Field, MessageMemo, StatusAndFields } from "./response-head.ts";

export interface ResponsePlan extends StatusAndFields {
  readonly body: BodyPlan;
  /** Why it was refused: for the log. */
  readonly reason?: Reason;
  /** Keeps the finished bytes of a plan that is sent repeatedly. */
  readonly memo?: MessageMemo;
}

/**
 * `isJoined`: the client joins these bytes with others of the version that it named in If-Range or If-Match. One version
 * among themselves is not enough then: it must be that one.
 */
export type BodyPlan =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** `end` is exclusive. */
  | {
      readonly kind: "file";
      readonly source: OpenSource;
      readonly start: Bytes;
      readonly end: Bytes;
      readonly isJoined: boolean;
    }
  /** A whole file of `size` bytes in the chunked coding. */
  | { readonly kind: "chunked"; readonly source: OpenSource; readonly size: Bytes }
  /** multipart/byteranges (RFC 9110 §14.6) of `length` bytes: each part's preamble and slice, then `epilogue`. */
  | {
      readonly kind: "parts";
      readonly source: OpenSource;
      readonly isJoined: boolean;
      readonly parts: readonly Part[];
      readonly epilogue: Uint8Array;
      readonly length: Bytes;
    };

/** A file that is open for one response. Its opener closes it; the writer only reads. */
export interface OpenSource {
  readonly descriptor: number;
  /** The file as it was when the head was planned; if its bytes are others now, the connection ends. */
  readonly identity: FileIdentity;
  /** Whether a file that still has these times is unchanged: see `isSettled`. */
  readonly isSettled: boolean;
}

/** One slice of a multipart/byteranges body (RFC 9110 §14.6). `end` is exclusive. */
export interface Part {
  readonly preamble: Uint8Array;
  readonly start: Bytes;
  readonly end: Bytes;
}

/** How many bytes the body has on the wire. */
export function bodyLength(body: BodyPlan): Bytes {
  switch (body.kind) {
    case "none":
      return 0 as Bytes;
    case "bytes":
      return body.bytes.length as Bytes;
    case "file":
      return (body.end - body.start) as Bytes;
    case "chunked":
      return chunkedLength(body.size);
    case "parts":
      return body.length;
  }
}

/** The fields that describe a body, for any status. */
export function contentFields(mediaType: string, length: Bytes): readonly Field[] {
  return [
    { name: "Content-Type", value: mediaType },
    { name: "Content-Length", value: String(length) },
  ];
}

/** What a response says of a file: all of it from the descriptor that is being sent. */
export interface FileFacts {
  readonly size: Bytes;
  /** Undefined where the file system has no time for it: see `lastModified`. */
  readonly modified: UnixSeconds | undefined;
  readonly tag: EntityTag;
  /** With its charset parameter where it has one. */
  readonly mediaType: string;
  /** The name for saving, if the file is offered as a download. */
  readonly downloadName?: string;
}
