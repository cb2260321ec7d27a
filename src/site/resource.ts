/** What a request's path leads to: the interface between `locate` and `planResponse`. */
import type { ErrorStatus } from "../base/status.ts";
import type { Bytes, Seconds } from "../base/units.ts";
import type { Reason } from "../http/reason.ts";
import type { Field } from "../http/response-head.ts";
import type { FileFacts, OpenSource } from "../http/response-plan.ts";

export type Resource =
  | { readonly kind: "file"; readonly facts: FileFacts; readonly content: FileContent }
  /** `release` must be called when the response has ended. */
  | { readonly kind: "page"; readonly page: RenderedPage; readonly release?: () => void }
  /** `location` is a complete reference, percent-encoded, that begins with exactly one slash. */
  | { readonly kind: "redirect"; readonly location: string }
  | { readonly kind: "created"; readonly receipt: Receipt }
  /** The answer to OPTIONS: the allowed methods, and the types that may be posted. */
  | { readonly kind: "options"; readonly allow: string; readonly acceptPost?: string }
  | Refused
  /** `fault`: what the operator must know of it, such as the code of the system's error. */
  | { readonly kind: "busy"; readonly reason: Reason; readonly retryAfter: Seconds; readonly fault?: string };

export interface Refused {
  readonly kind: "refused";
  readonly status: ErrorStatus;
  readonly reason: Reason;
  /** Fields that the status requires, such as Allow on 405. */
  readonly fields?: readonly Field[];
  /** What exactly is wrong, for the reader of the page: our own words, never the client's. */
  readonly detail?: string;
}

/** Of a stored upload. */
export interface Receipt {
  /** Its URL path, percent-encoded; undefined when it is outside the document root. */
  readonly location: string | undefined;
  readonly name: string;
  readonly size: Bytes;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
}

export type FileContent =
  | { readonly kind: "memory"; readonly bytes: Uint8Array }
  /** `release` closes the descriptor when the response has ended. */
  | { readonly kind: "open"; readonly source: OpenSource };

/** A generated page, or a site's own error page. */
export interface RenderedPage {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** The request fields that chose this form (RFC 9110 §12.5.5). */
  readonly vary?: string;
  /** Its Content-Security-Policy; none for the site's own pages. */
  readonly securityPolicy?: string;
}
