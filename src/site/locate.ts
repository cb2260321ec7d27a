/**
 * From a site and a path to the resource there (SPEC: from URL to file): the file, the index file of a directory, its
 * listing, the redirect to its final slash, or why there is nothing.
 */
import { closeSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { bytes, type Seconds } from "../base/units.ts";
import { unreachable } from "../base/unreachable.ts";
import { isTemporaryName } from "../base/upload-name.ts";
import { preferredForm } from "../http/accept.ts";
import { fileEntityTag } from "../http/entity-tag.ts";
import type { IncomingRequest } from "../http/exchange.ts";
import type { FileFacts } from "../http/file-facts.ts";
import { extensionOf, mediaTypeOf } from "../http/media-type.ts";
import type { RequestHead } from "../http/request-head.ts";
import { formatSitePath, isDotfilePath, parseSitePath, type SitePath } from "../http/site-path.ts";
import type { Status } from "../http/status.ts";
import type { ListDirectoryFailure, ListDirectoryOutput, TaskOutcome, TaskPool } from "../tasks/task-types.ts";
import type { FileCache } from "./file-cache.ts";
import type { ListingMemory } from "./listing-memory.ts";
import { type FoundDirectory, type OpenedFile, openBelow, openDirectoryBelow, readWhole } from "./open-file.ts";
import type { RenderedPage, Resource } from "./resource.ts";
import type { Site } from "./site.ts";
import type { UploadLedger } from "./upload-ledger.ts";

/** What looking needs beside the site: shared by all requests. */
export interface LocateContext {
  readonly files: FileCache;
  readonly pool: TaskPool;
  /** Of the listings that are being sent. */
  readonly listingMemory: ListingMemory;
  readonly uploads: UploadLedger;
  /** When a client that is told 503 may come back. */
  readonly retryAfter: Seconds;
  readonly clock: Clock;
}

type FileResource = Extract<Resource, { kind: "file" }>;

/** How often a file is read again that changed while it was read. */
const MAX_READS = 3;
/** A site's own error page is read whole, whether files are kept in memory or not. */
const MAX_ERROR_PAGE = bytes(1024 * 1024);

/**
 * The caller hands the resource to `release` when its response has ended.
 *
 * @param request  of it only the signal is used, and only by what may have to wait
 */
export function locate(
  context: LocateContext,
  site: Site,
  head: RequestHead,
  request?: Pick<IncomingRequest, "gone">,
): Resource | Promise<Resource> {
  const parsed = parseSitePath(head.path);
  if (parsed.kind === "refused") {
    const status = parsed.reason === "traversal" ? site.rules.traversalStatus : 400;
    return { kind: "refused", status, reason: parsed.reason };
  }
  const { path } = parsed;
  if (!isServedByName(site, path.segments)) return { kind: "refused", status: 404, reason: "dotfile" };
  return path.directory ? locateDirectory(context, site, path, head, request) : locateFile(context, site, path, head);
}

/** Closes what the resource holds open, and gives back what it holds in memory. */
export function release(resource: Resource): void {
  if (resource.kind === "file" && resource.content.kind === "open") closeSync(resource.content.source.descriptor);
  if (resource.kind === "page") resource.release?.();
}

/** The site's own page for a status, if it has one that can be read; the built-in page serves otherwise. */
export function loadErrorPage(context: LocateContext, site: Site, status: Status): RenderedPage | undefined {
  const target = site.rules.errorPages.get(status);
  const parsed = target === undefined ? undefined : parseSitePath(target);
  if (parsed?.kind !== "path") return undefined;
  try {
    const found = findFile(context, site, parsed.path.segments);
    return found.kind === "file" ? readPage(found) : undefined;
  } catch {
    // The disk is at fault. The error that is to be answered is another one, and may be this very fault.
    return undefined;
  }
}

function readPage(found: FileResource): RenderedPage | undefined {
  try {
    if (found.facts.size > MAX_ERROR_PAGE) return undefined;
    const { content, facts } = found;
    const bytes = content.kind === "memory" ? content.bytes : readWhole(content.source);
    return bytes && { mediaType: facts.mediaType, bytes };
  } finally {
    release(found);
  }
}

function locateFile(context: LocateContext, site: Site, path: SitePath, head: RequestHead): Resource {
  const found = findFile(context, site, path.segments);
  return found.kind === "directory" ? redirectToDirectory(path, head.query) : found;
}

/** The location is built from the decoded path, so whatever slashes the client sent, it begins with one. */
function redirectToDirectory(path: SitePath, query: string | undefined): Resource {
  const location = formatSitePath({ segments: path.segments, directory: true });
  return { kind: "redirect", location: query === undefined ? location : `${location}?${query}` };
}

function locateDirectory(
  context: LocateContext,
  site: Site,
  path: SitePath,
  head: RequestHead,
  request?: Pick<IncomingRequest, "gone">,
): Resource | Promise<Resource> {
  for (const [place, name] of site.rules.indexfiles.entries()) {
    const found = findFile(context, site, [...path.segments, name]);
    if (found.kind === "file") {
      // Only the first name of the list: a later one is right only as long as those before it are missing.
      if (place === 0) context.files.alias(site, formatSitePath(path), indexPath(path, name));
      return found;
    }
    if (found.kind !== "directory" && !isAbsent(found)) return found;
  }
  return listDirectory(context, site, path, head, request);
}

function indexPath(path: SitePath, name: string): string {
  return formatSitePath({ segments: [...path.segments, name], directory: false });
}

function isAbsent(found: Resource): boolean {
  return found.kind === "refused" && (found.reason === "not-found" || found.reason === "not-a-file");
}

function listDirectory(
  context: LocateContext,
  site: Site,
  path: SitePath,
  head: RequestHead,
  request?: Pick<IncomingRequest, "gone">,
): Resource | Promise<Resource> {
  const { rules, root } = site;
  const directory = openDirectoryBelow(root, path.segments, rules.symlinks);
  if (directory.kind !== "directory") return directory;
  const realRoot = root.realPath();
  if (!rules.listing || realRoot === undefined) {
    closeSync(directory.descriptor);
    return { kind: "refused", status: 403, reason: "no-listing" };
  }
  const form = preferredForm(head.fields.get("accept"), ["text/html", "application/json"]);
  const input = {
    directory: directory.path,
    isRealPath: directory.isRealPath,
    root: realRoot,
    segments: path.segments,
    query: head.query,
    form: form === "text/html" ? "html" : "json",
    dotfiles: rules.dotfiles,
    symlinks: rules.symlinks,
    types: rules.types,
  } as const;
  return context.pool
    .run("list-directory", input, request?.gone)
    .then((outcome) => listingResource(context, outcome))
    .finally(() => closeSync(directory.descriptor));
}

function listingResource(context: LocateContext, outcome: TaskOutcome<ListDirectoryOutput>): Resource {
  // Nobody is there to be answered when the task was cancelled, so that any answer is right.
  if (outcome.kind !== "done") return queueFull(context);
  const { output } = outcome;
  if (output.kind === "failed") return listingFailure(context, output.reason);
  const { mediaType, bytes, securityPolicy } = output;
  if (!context.listingMemory.reserve(bytes.length)) return queueFull(context);
  const release = (): void => context.listingMemory.release(bytes.length);
  return { kind: "page", page: { mediaType, bytes, securityPolicy, vary: "Accept" }, release };
}

function queueFull({ retryAfter }: LocateContext): Resource {
  return { kind: "busy", reason: "queue-full", retryAfter };
}

function listingFailure({ retryAfter }: LocateContext, reason: ListDirectoryFailure): Resource {
  switch (reason) {
    case "not-found":
      return { kind: "refused", status: 404, reason };
    case "no-permission":
      return { kind: "refused", status: 403, reason };
    case "out-of-descriptors":
      return { kind: "busy", reason, retryAfter };
    default:
      return unreachable(reason);
  }
}

/** The file at `segments`, from memory or opened; small ones are read whole and kept. */
function findFile(
  context: LocateContext,
  site: Site,
  segments: readonly string[],
): FileResource | FoundDirectory | Exclude<Resource, FileResource> {
  const path = formatSitePath({ segments, directory: false });
  const cached = context.files.lookup(site, path);
  if (cached !== undefined) {
    return { kind: "file", facts: cached.facts, content: { kind: "memory", bytes: cached.bytes } };
  }
  for (let reads = 1; ; reads += 1) {
    const opened = openBelow(site.root, segments, site.rules.symlinks);
    if (opened.kind !== "file") return opened;
    const name = segments.at(-1) ?? "";
    if (!isTypeAllowed(site, name)) {
      closeSync(opened.descriptor);
      return { kind: "refused", status: 415, reason: "type-not-allowed" };
    }
    const facts = describeFile(context, site, name, opened);
    const source = { kind: "open", source: opened } as const;
    if (!context.files.admits(facts.size) || reads > MAX_READS) return { kind: "file", facts, content: source };

    const content = readAndClose(opened);
    if (content === undefined) continue;
    // A file with a weak tag may yet change without its times changing: it is read anew next time.
    if (!facts.tag.weak && isServedByName(site, segments)) {
      context.files.store(site, path, { facts, bytes: content }, opened.stamp);
    }
    return { kind: "file", facts, content: { kind: "memory", bytes: content } };
  }
}

function readAndClose(opened: OpenedFile): Uint8Array | undefined {
  try {
    return readWhole(opened);
  } finally {
    closeSync(opened.descriptor);
  }
}

/** An index file or error page may be hidden; in memory, whoever asks for its path would find it. */
function isServedByName({ rules }: Site, segments: readonly string[]): boolean {
  if (segments.some(isTemporaryName)) return false;
  return rules.dotfiles || !isDotfilePath({ segments, directory: false });
}

function isTypeAllowed({ rules }: Site, name: string): boolean {
  return rules.types.length === 0 || rules.types.includes(extensionOf(name));
}

function describeFile(context: LocateContext, { rules }: Site, name: string, opened: OpenedFile): FileFacts {
  const facts: FileFacts = {
    size: opened.identity.size,
    modified: opened.modified,
    tag: fileEntityTag(opened.identity, context.clock.wall()),
    mediaType: mediaTypeOf(name, rules.mimeTypes, rules.charset),
  };
  return rules.download.includes(extensionOf(name)) ? { ...facts, downloadName: name } : facts;
}
