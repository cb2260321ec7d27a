/**
 * The answer to an upload that is stored: 201, where it is, and a receipt (RFC 9110 §15.3.2).
 */
import { bytes } from "../base/units.ts";
import type { ResponsePlan } from "../http/response-plan.ts";
import { contentFields } from "./content-fields.ts";
import type { Receipt } from "./resource.ts";

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
