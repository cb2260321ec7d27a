/**
 * The fields that describe a body, whatever status it is sent with.
 */
import { type Bytes, bytes } from "../base/units.ts";
import type { Field } from "../http/field.ts";
import type { RenderedPage } from "./resource.ts";

export function contentFields(mediaType: string, length: Bytes): readonly Field[] {
  return [
    { name: "Content-Type", value: mediaType },
    { name: "Content-Length", value: String(length) },
  ];
}

export function pageFields(page: RenderedPage): readonly Field[] {
  const fields = [...contentFields(page.mediaType, bytes(page.bytes.length)), ...varyFields(page)];
  if (page.securityPolicy === undefined) return fields;
  return [...fields, { name: "Content-Security-Policy", value: page.securityPolicy }];
}

/** Which request fields chose this form: also said where the page itself is not sent (RFC 9110 §12.5.5, §15.4.5). */
export function varyFields(page: RenderedPage): readonly Field[] {
  return page.vary === undefined ? [] : [{ name: "Vary", value: page.vary }];
}
