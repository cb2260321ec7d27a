/**
 * One look at every answer before it is measured: status, length and checksum of the body, byte for byte what
 * documents.js says. A server that answers quickly but wrongly is not in the race.
 */
import { createHash } from "node:crypto";
import * as http from "node:http";
import * as https from "node:https";
import { checksumOf } from "./documents.js";
import { HOST } from "./server-process.js";

const CHECKED_AT_ONCE = 16;

/**
 * @param load  `documents` that will be asked for; `fields` of the request; `revalidates` when they are to be answered 304
 * @returns `{ kind: "right", fields }`, the fields completed by what only the server knows, or `{ kind: "wrong", why }`
 */
export async function checkAnswers(port, load) {
  const options = { keepAlive: true, maxSockets: CHECKED_AT_ONCE };
  // Whoever has the files has the certificate too: only what they serve is in question.
  const agent = load.isTls ? new https.Agent({ ...options, rejectUnauthorized: false }) : new http.Agent(options);
  try {
    const left = [...load.documents];
    const faults = [];
    let entityTag;
    const checkLeft = async () => {
      for (let document = left.pop(); document !== undefined && faults.length === 0; document = left.pop()) {
        const answer = await ask(agent, port, document.path, load.fields);
        entityTag = answer.entityTag;
        const fault = faultOf(answer, document);
        if (fault !== undefined) faults.push(`${document.path}: ${fault}`);
      }
    };
    await Promise.all(Array.from({ length: CHECKED_AT_ONCE }, checkLeft));
    if (faults.length > 0) return { kind: "wrong", why: faults[0] };
    return load.revalidates
      ? await checkRevalidation(agent, port, load, entityTag)
      : { kind: "right", fields: load.fields };
  } finally {
    agent.destroy();
  }
}

async function checkRevalidation(agent, port, load, entityTag) {
  if (entityTag === undefined) return { kind: "wrong", why: "its answers have no ETag" };
  const fields = [...(load.fields ?? []), ["If-None-Match", entityTag]];
  const { status, size } = await ask(agent, port, load.path, fields);
  if (status !== 304 || size > 0) return { kind: "wrong", why: `${status} for a matching If-None-Match: expected 304` };
  return { kind: "right", fields };
}

function faultOf({ status, size, checksum, length }, document) {
  if (status !== 200) return `status ${status}: expected 200`;
  if (length !== String(document.size)) return `Content-Length ${length}: expected ${document.size}`;
  if (size !== document.size) return `${size} bytes: expected ${document.size}`;
  return checksum === checksumOf(document) ? undefined : "other bytes than the file has";
}

function ask(agent, port, path, fields = []) {
  return new Promise((resolve, reject) => {
    const { get } = agent instanceof https.Agent ? https : http;
    const request = get({ host: HOST, port, path, agent, headers: Object.fromEntries(fields) }, (response) => {
      const hash = createHash("sha256");
      let size = 0;
      response.on("data", (piece) => {
        hash.update(piece);
        size += piece.length;
      });
      response.once("error", reject);
      response.once("end", () => {
        const { etag: entityTag, "content-length": length } = response.headers;
        resolve({ status: response.statusCode, size, checksum: hash.digest("hex"), entityTag, length });
      });
    });
    request.once("error", reject);
  });
}
