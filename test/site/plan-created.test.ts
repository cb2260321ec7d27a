import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "../../src/base/units.ts";
import { planCreated } from "../../src/site/plan-created.ts";
import type { Receipt } from "../../src/site/resource.ts";

const name = "upload_20240315_123456_a7b9.json";
const receipt: Receipt = { location: `/my%20uploads/${name}`, name, size: bytes(17), sha256: "0a".repeat(32) };

function parts(stored: Receipt) {
  const { status, fields, body } = planCreated(stored);
  assert.ok(body.kind === "bytes");
  return {
    status,
    lines: fields.map((field) => `${field.name}: ${field.value}`),
    text: new TextDecoder().decode(body.bytes),
  };
}

test("planCreated: every field and every byte", () => {
  const text = `{"status":"success","message":"File created successfully","filepath":"/my%20uploads/${name}","size":17,"sha256":"${receipt.sha256}"}\n`;
  assert.deepEqual(parts(receipt), {
    status: 201,
    lines: [
      "Content-Type: application/json",
      `Content-Length: ${text.length}`,
      `Location: /my%20uploads/${name}`,
      "Cache-Control: no-store",
    ],
    text,
  });
});

test("planCreated: outside the document root there is a name and no location", () => {
  const { lines, text } = parts({ ...receipt, location: undefined });
  assert.equal(JSON.parse(text).filepath, name);
  assert.ok(!lines.some((line) => line.startsWith("Location")));
});
