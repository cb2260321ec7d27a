/**
 * What a server does to every response, whatever it is about: its name, and the site's own page for an error.
 */
import type { Field } from "../http/field.ts";
import type { ResponsePlan } from "../http/response-plan.ts";
import { pageFields } from "./content-fields.ts";
import type { RenderedPage } from "./resource.ts";

/** @param server  the value of the Server field (RFC 9110 §10.2.4); empty leaves it out */
export function withServerField(plan: ResponsePlan, server: string): ResponsePlan {
  if (server === "") return plan;
  return { ...plan, fields: [{ name: "Server", value: server }, ...plan.fields] };
}

export function withField(plan: ResponsePlan, field: Field): ResponsePlan {
  return { ...plan, fields: [...plan.fields, field] };
}

/** The same error with another page; the fields that are not about the page, such as Allow, stay. */
export function withErrorPage(plan: ResponsePlan, page: RenderedPage): ResponsePlan {
  const others = plan.fields.filter(({ name }) => !PAGE_FIELDS.has(name));
  const body = plan.body.kind === "none" ? plan.body : { kind: "bytes" as const, bytes: page.bytes };
  return { ...plan, fields: [...pageFields(page), ...others], body };
}

/** What `pageFields` may make. */
const PAGE_FIELDS: ReadonlySet<string> = new Set(["Content-Type", "Content-Length", "Vary", "Content-Security-Policy"]);
