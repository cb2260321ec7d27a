/**
 * JSON documents to upload, each unlike all others, with the hash that shows later whether it was kept as it was sent.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROW = '{"id":1234567,"name":"Übergrößenträger \\u20ac \\"x\\"","on":true,"v":-1.5e-7},\n';
const ROW_BYTES = Buffer.byteLength(ROW);
const LAST_ROW = Buffer.from('{"last":null}]}');
const STORED_NAME = /^upload_\d{8}_\d{6}_[0-9a-z]+\.json$/;

/** About `size` bytes. */
export function makeDocument(serial, size) {
  const head = Buffer.from(`{"serial":${JSON.stringify(serial)},"rows":[\n`);
  const rows = Buffer.alloc(Math.max(0, Math.floor((size - head.length) / ROW_BYTES)) * ROW_BYTES, ROW);
  return Buffer.concat([head, rows, LAST_ROW]);
}

export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Sends a document to be stored. */
export function upload(client, document, { chunked = false, path = "/upload" } = {}) {
  const fields = { "Content-Type": "application/json" };
  return client.exchange({ method: "POST", path, fields, body: document, chunked });
}

/** What a 201 promises: name, size and sha256 of the stored file. @throws when it does not say so in the agreed form */
export function readReceipt({ status, fields, body }) {
  const reply = JSON.parse(body);
  const name = reply.filepath?.slice(reply.filepath.lastIndexOf("/") + 1);
  const isWhole =
    status === 201 &&
    reply.status === "success" &&
    STORED_NAME.test(name) &&
    fields.get("location") === reply.filepath &&
    /^[0-9a-f]{64}$/.test(reply.sha256);
  if (!isWhole) throw new Error(`not a receipt: ${status} ${fields.get("location")} ${body}`);
  return { name, size: reply.size, sha256: reply.sha256 };
}

/** The names in an upload directory: uploads, and whatever else there is. */
export function readUploads(directory) {
  // The server makes it with the first upload.
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return {
    stored: names.filter((name) => STORED_NAME.test(name)),
    others: names.filter((name) => !STORED_NAME.test(name)),
  };
}

/**
 * Compares an upload directory with the receipts given for it.
 *
 * @returns what is wrong, in words; empty when it holds exactly these files with exactly this content
 */
export function compareWithReceipts(directory, receipts) {
  const faults = [];
  const { stored, others } = readUploads(directory);
  const promised = new Map(receipts.map((receipt) => [receipt.name, receipt]));
  if (promised.size !== receipts.length) faults.push(`${receipts.length - promised.size} names were given twice`);
  for (const name of others) faults.push(`litter: ${name}`);
  for (const name of stored) if (!promised.has(name)) faults.push(`never acknowledged: ${name}`);
  for (const { name, size, sha256: wanted } of receipts) {
    if (!stored.includes(name)) {
      faults.push(`lost: ${name}`);
      continue;
    }
    const content = readFileSync(join(directory, name));
    if (content.length !== size || sha256(content) !== wanted) faults.push(`changed: ${name}`);
  }
  return faults;
}
