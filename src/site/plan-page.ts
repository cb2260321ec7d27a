/**
 * The response with a page made for this request, such as a directory index.
 *
 * Such a page has no validators: a condition holds or fails by the mere existence of the page (RFC 9110 §13.1).
 */
import type { UnixSeconds } from "../base/units.ts";
import { checkPreconditions } from "../http/preconditions.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { ResponsePlan } from "../http/response-plan.ts";
import { pageFields, varyFields } from "./content-fields.ts";
import { planError } from "./plan-error.ts";
import type { RenderedPage } from "./resource.ts";

export function planPage(head: RequestHead, page: RenderedPage, now: UnixSeconds): ResponsePlan {
  switch (checkPreconditions(head, {}, now)) {
    case "failed":
      return planError(head, { status: 412, reason: "precondition-failed" });
    case "not-modified":
      return { status: 304, fields: varyFields(page), body: { kind: "none" } };
    case "proceed":
      return { status: 200, fields: pageFields(page), body: { kind: "bytes", bytes: page.bytes } };
  }
}
