/** Responses whose body the server makes in one piece: a directory index, an error page, the receipt of an upload. */
import { bytes, type Seconds, type UnixSeconds } from "../base/units.ts";
import { checkPreconditions } from "../http/preconditions.ts";
import type { Reason } from "../http/reason.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { Field } from "../http/response-head.ts";
import { contentFields, type ResponsePlan } from "../http/response-plan.ts";
import { renderErrorPage } from "./error-page.ts";
import type { Receipt, Refused, RenderedPage } from "./resource.ts";

/** A page has no validators: a condition is decided by the mere existence of the page (RFC 9110 §13.1). */
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

/** @param head  undefined when the request was not understood: its Accept is then unknown */
export function planError(head: RequestHead | undefined, error: Omit<Refused, "kind">): ResponsePlan {
  const { status, reason, fields = [], detail } = error;
  const page = renderErrorPage(status, reason, head?.fields.get("accept"), detail);
  return { status, fields: [...pageFields(page), ...fields], body: { kind: "bytes", bytes: page.bytes }, reason };
}

/** 503 with Retry-After (RFC 9110 §10.2.3). */
export function planBusy(head: RequestHead, reason: Reason, retryAfter: Seconds): ResponsePlan {
  return planError(head, {
    status: 503,
    reason,
    fields: [{ name: "Retry-After", value: String(Math.ceil(retryAfter)) }],
  });
}

/** 201 with the location and a receipt (RFC 9110 §15.3.2). */
export function planCreated(receipt: Receipt): ResponsePlan {
  const { location, name, size, sha256 } = receipt;
  const reply = {
    status: "success",
    message: "File created successfully",
    filepath: location ?? name,
    size,
    sha256,
  };
  const body = new TextEncoder().encode(`${JSON.stringify(reply)}\n`);
  const fields = [
    ...contentFields("application/json", bytes(body.length)),
    ...(location === undefined ? [] : [{ name: "Location", value: location }]),
    { name: "Cache-Control", value: "no-store" },
  ];
  return { status: 201, fields, body: { kind: "bytes", bytes: body } };
}

/** The same error with another page; fields that are not about the page, such as Allow, stay. */
export function withErrorPage(plan: ResponsePlan, page: RenderedPage): ResponsePlan {
  const others = plan.fields.filter(({ name }) => !PAGE_FIELDS.has(name));
  const body = plan.body.kind === "none" ? plan.body : { kind: "bytes" as const, bytes: page.bytes };
  return { ...plan, fields: [...pageFields(page), ...others], body };
}

function pageFields(page: RenderedPage): readonly Field[] {
  const fields = [...contentFields(page.mediaType, bytes(page.bytes.length)), ...varyFields(page)];
  if (page.securityPolicy === undefined) return fields;
  return [...fields, { name: "Content-Security-Policy", value: page.securityPolicy }];
}

/** The request fields that chose this form: also sent without the page (RFC 9110 §12.5.5, §15.4.5). */
function varyFields(page: RenderedPage): readonly Field[] {
  return page.vary === undefined ? [] : [{ name: "Vary", value: page.vary }];
}

/** The fields that `pageFields` can make. */
const PAGE_FIELDS: ReadonlySet<string> = new Set(["Content-Type", "Content-Length", "Vary", "Content-Security-Policy"]);
