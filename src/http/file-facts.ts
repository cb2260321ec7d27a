import type { Bytes, UnixSeconds } from "../base/units.ts";
import type { EntityTag } from "./entity-tag.ts";

/** What a response says of a file: all of it read from the descriptor that is being sent. */
export interface FileFacts {
  readonly size: Bytes;
  readonly modified: UnixSeconds;
  readonly tag: EntityTag;
  /** With its charset parameter where it has one. */
  readonly mediaType: string;
  /** Set where the file is offered as a download: the name to save it under. */
  readonly downloadName?: string;
}
