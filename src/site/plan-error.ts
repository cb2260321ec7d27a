/**
 * The response that refuses: the built-in error page, with the fields its status calls for.
 */
import type { Seconds } from "../base/units.ts";
import type { Field } from "../http/field.ts";
import type { Reason } from "../http/reason.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { ResponsePlan } from "../http/response-plan.ts";
import type { ErrorStatus } from "../http/status.ts";
import { pageFields } from "./content-fields.ts";
import { renderErrorPage } from "./error-page.ts";

/** The parts of a refusal; a `Refused` resource is one. */
export interface ErrorAnswer {
  readonly status: ErrorStatus;
  readonly reason: Reason;
  readonly fields?: readonly Field[];
  readonly detail?: string;
}

/** @param head  undefined when the request was not understood: its Accept is then unknown */
export function planError(head: RequestHead | undefined, error: ErrorAnswer): ResponsePlan {
  const { status, reason, fields = [], detail } = error;
  const page = renderErrorPage(status, reason, head?.fields.get("accept"), detail);
  return { status, fields: [...pageFields(page), ...fields], body: { kind: "bytes", bytes: page.bytes }, reason };
}

/** 503: not now, but after `retryAfter` (RFC 9110 §10.2.3). */
export function planBusy(head: RequestHead, reason: Reason, retryAfter: Seconds): ResponsePlan {
  return planError(head, {
    status: 503,
    reason,
    fields: [{ name: "Retry-After", value: String(Math.ceil(retryAfter)) }],
  });
}
