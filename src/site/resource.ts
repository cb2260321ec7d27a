/**
 * What a request's path turned out to be: the one thing between looking (`locate`) and planning (`planResponse`).
 */
import type { Seconds } from "../base/units.ts";
import type { Field } from "../http/field.ts";
import type { FileFacts } from "../http/file-facts.ts";
import type { Reason } from "../http/reason.ts";
import type { OpenSource } from "../http/response-plan.ts";
import type { ErrorStatus } from "../http/status.ts";

export type Resource =
  | { readonly kind: "file"; readonly facts: FileFacts; readonly content: FileContent }
  | { readonly kind: "page"; readonly page: RenderedPage }
  /** `location` is a complete reference, percent-encoded, that begins with exactly one slash. */
  | { readonly kind: "redirect"; readonly location: string }
  /** The answer to OPTIONS: what may be done here. */
  | { readonly kind: "options"; readonly allow: string }
  | Refused
  | { readonly kind: "busy"; readonly reason: Reason; readonly retryAfter: Seconds };

export interface Refused {
  readonly kind: "refused";
  readonly status: ErrorStatus;
  readonly reason: Reason;
  /** Fields this status calls for, such as Allow on 405. */
  readonly fields?: readonly Field[];
}

export type FileContent =
  | { readonly kind: "memory"; readonly bytes: Uint8Array }
  /** Whoever located the file closes the descriptor when the response has ended. */
  | { readonly kind: "open"; readonly source: OpenSource };

/** A page made for this answer: a directory index, or a site's own error page. */
export interface RenderedPage {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** Request fields the choice of this form depended on (RFC 9110 §12.5.5). */
  readonly vary?: string;
  /** The Content-Security-Policy it works under; none for a page that is the site's own. */
  readonly securityPolicy?: string;
}
