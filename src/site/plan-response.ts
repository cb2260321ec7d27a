/**
 * Chooses status, fields and body for a resource. The same arguments always give the same plan. Date and Connection are
 * added elsewhere: they belong to the moment of sending and to the connection.
 */

import { unreachable } from "../base/errors.ts";
import type { Seconds } from "../base/units.ts";
import type { Refusal } from "../http/exchange.ts";
import { isGetOrHead, type Method, type RequestHead } from "../http/request-head.ts";
import type { Field } from "../http/response-head.ts";
import type { ResponsePlan } from "../http/response-plan.ts";
import { type PlanContext, planFile } from "./plan-file.ts";
import { planBusy, planCreated, planError, planPage } from "./plan-page.ts";
import type { Resource } from "./resource.ts";

/** The caller still owns the descriptor that the response reads from. */
export function planResponse(head: RequestHead, resource: Resource, context: PlanContext): ResponsePlan {
  return finish(head, planFor(head, resource, context));
}

/** The response to an invalid or incomplete request; `head` where there is one. */
export function planRefusal(refusal: Refusal, head: RequestHead | undefined): ResponsePlan {
  return finish(head, planError(head, refusal));
}

/** @param server  the value of the Server field (RFC 9110 §10.2.4); empty omits it */
export function withServerField(plan: ResponsePlan, server: string): ResponsePlan {
  if (server === "") return plan;
  return { ...plan, fields: [{ name: "Server", value: server }, ...plan.fields] };
}

/** Only for clients that use TLS (RFC 6797 §7.2). */
export function hstsField(maxAge: Seconds): Field {
  return { name: "Strict-Transport-Security", value: `max-age=${maxAge}` };
}

export function withField(plan: ResponsePlan, field: Field): ResponsePlan {
  return { ...plan, fields: [...plan.fields, field] };
}

function planFor(head: RequestHead, resource: Resource, context: PlanContext): ResponsePlan {
  switch (resource.kind) {
    case "file":
      return planFile(head, resource.facts, resource.content, context);
    case "page":
      return planPage(head, resource.page, context.now);
    case "redirect":
      return planRedirect(head.method, resource.location);
    case "created":
      return planCreated(resource.receipt);
    case "options":
      return planOptions(resource);
    case "refused":
      return planError(head, resource);
    case "busy":
      return planBusy(head, resource.reason, resource.retryAfter);
    default:
      return unreachable(resource);
  }
}

/** After 301 many clients repeat any method but HEAD as GET, without the body (RFC 9110 §15.4.2); after 308 they do not. */
function planRedirect(method: Method, location: string): ResponsePlan {
  const fields = [
    { name: "Location", value: location },
    { name: "Content-Length", value: "0" },
  ];
  return { status: isGetOrHead(method) ? 301 : 308, fields, body: { kind: "none" } };
}

/** 204 has no length either (RFC 9110 §8.6). */
function planOptions({ allow, acceptPost }: Extract<Resource, { kind: "options" }>): ResponsePlan {
  const fields = [{ name: "Allow", value: allow }];
  if (acceptPost !== undefined) fields.push({ name: "Accept-Post", value: acceptPost });
  return { status: 204, fields, body: { kind: "none" } };
}

/** The last step, for every response: browsers must not guess types; HEAD is GET without the body (RFC 9110 §9.3.2). */
function finish(head: RequestHead | undefined, plan: ResponsePlan): ResponsePlan {
  const fields = [...plan.fields, { name: "X-Content-Type-Options", value: "nosniff" }];
  return { ...plan, fields, body: head?.method === "HEAD" ? { kind: "none" } : plan.body };
}
