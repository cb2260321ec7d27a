/**
 * JSON uploads, from request to receipt. What the head rules out is rejected before the body is read; the body is
 * written to a temporary file as fast as the disk allows, and a task checks that file and gives it its name.
 */
import { systemClock } from "../base/clock.ts";
import { type StorageFailure, storageFailureOf, unreachable } from "../base/errors.ts";
import { isProcessAlive } from "../base/process-alive.ts";
import { bytes } from "../base/units.ts";
import { type Digest, parseDigestField } from "../http/content-digest.ts";
import type { BodyReader, IncomingRequest } from "../http/exchange.ts";
import { isJsonMediaType } from "../http/media-type.ts";
import type { RequestFields } from "../http/request-head.ts";
import { parseSitePath } from "../http/site-path.ts";
import type { StoreJsonOutput } from "../tasks/store-json.ts";
import { type LocateContext, queueFull } from "./locate.ts";
import type { Refused, Resource } from "./resource.ts";
import type { Site, SiteRules, Sites } from "./site.ts";
import { UploadLedger } from "./upload-quota.ts";
import { type IncomingUpload, UploadStore } from "./upload-store.ts";

/** For the field Accept-Post (W3C Linked Data Platform 1.0 §7.1). */
export const ACCEPT_POST = "application/json";
// Read at start, while the process has one thread: reading the umask means setting it.
const STORED_MODE = 0o644 & ~process.umask();
/** A request without a body is an empty text. */
const NO_BODY: BodyReader = { length: bytes(0), read: () => Promise.resolve({ kind: "end" }) };

const WRONG_TYPE: Refused = {
  kind: "refused",
  status: 415,
  reason: "upload-type",
  fields: [{ name: "Accept-Post", value: ACCEPT_POST }],
};
/** With the field that RFC 9110 §12.5.3 has for this case. */
const ENCODED: Refused = {
  ...WRONG_TYPE,
  fields: [...(WRONG_TYPE.fields ?? []), { name: "Accept-Encoding", value: "identity" }],
};
const BAD_DIGEST: Refused = { kind: "refused", status: 400, reason: "bad-digest" };
const DIGEST_MISMATCH: Refused = { kind: "refused", status: 400, reason: "digest-mismatch" };
const NO_SPACE: Refused = { kind: "refused", status: 507, reason: "no-space" };
/** Per site. */
const stores = new WeakMap<Site, UploadStore>();

/** Whether the raw request `path` accepts the site's uploads. */
export function takesUploads({ upload }: SiteRules, path: string): boolean {
  if (upload === undefined) return false;
  const [wanted, asked] = [parseSitePath(upload), parseSitePath(path)];
  if (wanted.kind === "refused" || asked.kind === "refused") return false;
  return (
    wanted.path.directory === asked.path.directory &&
    wanted.path.segments.length === asked.path.segments.length &&
    wanted.path.segments.every((name, index) => name === asked.path.segments[index])
  );
}

/**
 * Removes what a crash left in the upload directories. To be called before the first request.
 * @param report  called with a line per unusable directory; the server works without it
 * @returns whether files of other processes are left, which may be dead: see `clearUploadsAgain`
 */
export async function prepareUploads(
  sites: Sites,
  report: (text: string) => void,
  ledger: UploadLedger = new UploadLedger(),
): Promise<boolean> {
  // This process has made nothing yet: a file with its number is older.
  return clearUploads(sites, ledger, (pid) => pid === process.pid || !isProcessAlive(pid), report);
}

/**
 * To be called some seconds later. A process that was killed together with its parent counts as alive until process 1 has
 * reaped it, which takes seconds on some machines.
 */
export async function clearUploadsAgain(sites: Sites, ledger: UploadLedger = new UploadLedger()): Promise<void> {
  await clearUploads(
    sites,
    ledger,
    (pid) => !isProcessAlive(pid),
    () => undefined,
  );
}

async function clearUploads(
  { main, named, directories }: Sites,
  ledger: UploadLedger,
  isDead: (pid: number) => boolean,
  report: (text: string) => void,
): Promise<boolean> {
  const configured = [...(directories === undefined ? [main] : []), ...named.values()];
  const found = (directories?.names() ?? []).map((name) => directories?.find(name));
  let left = 0;
  for (const site of [...configured, ...found]) {
    if (site?.rules.upload === undefined) continue;
    try {
      left += await storeOf(site, ledger).clearLitter(systemClock.wall(), isDead);
    } catch (error) {
      if (storageFailureOf(error) === undefined) throw error;
      report(`uploads of ${site.name} cannot be stored: ${String(error)}`);
    }
  }
  return left > 0;
}

/** Reports upload directories that the sandbox of this process does not reach. Fails for none of them. */
export async function checkUploads({ main, named, directories }: Sites, ledger: UploadLedger): Promise<void> {
  for (const site of [...(directories === undefined ? [main] : []), ...named.values()]) {
    if (site.rules.upload === undefined) continue;
    // An upload that meets the same error explains it.
    await storeOf(site, ledger)
      .isWithinReach()
      .catch(() => undefined);
  }
}

/** @returns `created`, or why nothing was stored: no file is left on the disk then. @throws only our own faults */
export async function acceptUpload(context: LocateContext, site: Site, request: IncomingRequest): Promise<Resource> {
  const asked = readFields(request.head.fields);
  if (asked.kind === "refused") return asked;
  const reservation = context.pool.reserve();
  if (reservation === undefined && !context.pool.hasRoom) {
    context.pool.noteRefusal();
    return queueFull(context);
  }

  const body = request.body ?? NO_BODY;
  const store = storeOf(site, context.uploads);
  let upload: IncomingUpload | undefined;
  try {
    const begun = await store.begin(body.length, context.clock.monotonic());
    if (begun.kind !== "begun") return cannotStore(begun.kind, context);
    upload = begun.upload;
    const refused = await receive(body, upload, context);
    if (refused !== undefined) return refused;
    await upload.close();
    const task = {
      temporary: upload.path,
      directory: upload.directory,
      receivedAt: request.receivedAt,
      mode: STORED_MODE,
      digests: asked.digests,
    };
    reservation?.release();
    const outcome = await context.pool.run("store-json", task, request.gone);
    // A task is cancelled when its client has disconnected: no response is read then.
    if (outcome.kind !== "done") return queueFull(context);
    return conclude(outcome.output, upload, store, context);
  } catch (error) {
    const failure = storageFailureOf(error);
    if (failure === undefined) throw error;
    return cannotStore(failure, context);
  } finally {
    reservation?.release();
    await upload?.discard();
  }
}

function readFields(fields: RequestFields): Refused | { readonly kind: "wanted"; readonly digests: readonly Digest[] } {
  if (!isJsonMediaType(fields.get("content-type") ?? "")) return WRONG_TYPE;
  if ((fields.get("content-encoding") ?? "identity").toLowerCase() !== "identity") return ENCODED;
  const digests: Digest[] = [];
  // In the identity coding, content and representation are the same bytes (RFC 9530 §3).
  for (const name of ["content-digest", "repr-digest"]) {
    const field = parseDigestField(fields.get(name) ?? "");
    if (field.kind === "malformed") return BAD_DIGEST;
    digests.push(...field.digests);
  }
  return { kind: "wanted", digests };
}

/** Reads a piece only after writing the last one: a slow disk slows the client. @returns why it ended early */
async function receive(
  body: BodyReader,
  upload: IncomingUpload,
  { clock }: LocateContext,
): Promise<Refused | undefined> {
  for (;;) {
    const event = await body.read();
    switch (event.kind) {
      case "end":
        return undefined;
      case "failed":
        return { kind: "refused", ...(event.refusal ?? brokenOff(body)) };
      case "chunk":
        if (!(await upload.append(event.bytes, clock.monotonic()))) return NO_SPACE;
    }
  }
}

/** For the log, and for a client that has only stopped sending: the message does not match its announced length. */
function brokenOff({ length }: BodyReader) {
  return { status: 400, reason: length === undefined ? "bad-chunk" : "bad-content-length" } as const;
}

function conclude(
  output: StoreJsonOutput,
  upload: IncomingUpload,
  store: UploadStore,
  context: LocateContext,
): Resource {
  switch (output.kind) {
    case "stored": {
      const { name, size, sha256 } = output;
      upload.keep();
      return { kind: "created", receipt: { location: store.locationOf(upload.directory, name), name, size, sha256 } };
    }
    case "not-json": {
      const { line, column, expected } = output.fault;
      const detail = `line ${line}, column ${column}: expected ${expected}`;
      return { kind: "refused", status: 400, reason: "bad-json", detail };
    }
    case "digest-mismatch":
      return DIGEST_MISMATCH;
    case "no-space":
    case "unavailable":
      return cannotStore(output.kind, context);
    default:
      return unreachable(output);
  }
}

function cannotStore(failure: StorageFailure, { retryAfter }: LocateContext): Resource {
  return failure === "no-space" ? NO_SPACE : { kind: "busy", reason: "upload-unavailable", retryAfter };
}

function storeOf(site: Site, ledger: UploadLedger): UploadStore {
  const known = stores.get(site);
  if (known !== undefined) return known;
  const store = new UploadStore(site, ledger);
  stores.set(site, store);
  return store;
}
