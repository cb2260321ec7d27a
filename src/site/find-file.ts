/** One file of a site, from memory or opened: for a request, or as the site's own error page. */
import type { SymlinkRule } from "../base/absolute-path.ts";
import type { Clock } from "../base/clock.ts";
import type { Status } from "../base/status.ts";
import { type Bytes, bytes, seconds, type UnixSeconds } from "../base/units.ts";
import { isTemporaryName } from "../base/upload-name.ts";
import type { EntityTag } from "../http/entity-tag.ts";
import { isSettled } from "../http/file-identity.ts";
import { extensionOf, mediaTypeOf } from "../http/media-type.ts";
import type { FileFacts, OpenSource } from "../http/response-plan.ts";
import { formatSitePath, isDotfilePath, parseSitePath } from "../http/site-path.ts";
import type { FileCache } from "./file-cache.ts";
import { lastModified } from "./file-stamp.ts";
import { contentEntityTag, fileEntityTag } from "./file-tag.ts";
import { closeFile, explainFileError, type FoundDirectory, openBelow, type Unopened } from "./open-file.ts";
import { readWhole, type WholeFile } from "./read-whole.ts";
import type { RenderedPage, Resource } from "./resource.ts";
import type { Site } from "./site.ts";

export interface FileContext {
  readonly files: FileCache;
  readonly clock: Clock;
}

type FileResource = Extract<Resource, { kind: "file" }>;

const SIZE_UNKNOWN: Unopened = {
  kind: "busy",
  reason: "unreadable",
  retryAfter: seconds(10),
  fault: "larger than cache-file, and the file system says it is empty",
};

/** How often a file that changes while it is read is read again. */
const MAX_READS = 3;
/** A site's own error page is read whole, also when files are not kept in memory. */
const MAX_ERROR_PAGE = bytes(1024 * 1024);

/** The file at `segments`; small ones are read whole and kept. */
export function findFile(
  context: FileContext,
  site: Site,
  segments: readonly string[],
): FileResource | FoundDirectory | Exclude<Resource, FileResource> {
  const path = formatSitePath({ segments, directory: false });
  const cached = context.files.lookup(site, path);
  if (cached !== undefined) {
    const { facts, bytes } = cached.identity;
    return { kind: "file", facts, content: { kind: "memory", bytes } };
  }
  const name = segments.at(-1) ?? "";
  for (let reads = 1; ; reads += 1) {
    const now = context.clock.wall();
    const opened = openBelow(site.root, segments, site.rules.symlinks);
    if (opened.kind !== "file") return opened;
    const { descriptor, identity } = opened;
    if (!isTypeAllowed(site, name)) {
      closeFile(descriptor);
      return { kind: "refused", status: 415, reason: "type-not-allowed" };
    }
    const source: OpenSource = { descriptor, identity, isSettled: isSettled(identity, now) };
    const statTag = () => fileEntityTag(identity, site.rules.etag, now);
    const isForMemory = context.files.admits(identity.size);
    if ((!isForMemory && !opened.isSizeDoubtful) || identity.size > context.files.maxFile || reads > MAX_READS) {
      const facts = describeFile(site, name, identity.size, lastModified(identity.modifiedNs), statTag());
      return { kind: "file", facts, content: { kind: "open", source } };
    }
    const whole = readAndClose(source, context.files.maxFile, site.rules.symlinks);
    if (whole.kind === "changed") continue;
    if (whole.kind !== "read") return whole.kind === "endless" ? SIZE_UNKNOWN : whole;

    const { bytes: content, isSizeTrue } = whole;
    const tag = isForMemory || !isSizeTrue ? contentEntityTag(content) : statTag();
    // Where the size is a formality, so are the times.
    const modified = isSizeTrue ? lastModified(identity.modifiedNs) : undefined;
    const facts = describeFile(site, name, bytes(content.length), modified, tag);
    // A file that may still change without a trace in its times is read again next time.
    if (isForMemory && isSizeTrue && source.isSettled && isServedByName(site, segments)) {
      context.files.store(site, path, { identity: { facts, bytes: content } }, opened.stamp);
    }
    return { kind: "file", facts, content: { kind: "memory", bytes: content } };
  }
}

/** Closes the descriptor of the resource, and frees its reserved memory. */
export function release(resource: Resource): void {
  if (resource.kind === "file" && resource.content.kind === "open") closeFile(resource.content.source.descriptor);
  if (resource.kind === "page") resource.release?.();
}

/** The site's own page for a status; undefined when there is none that can be read. */
export function loadErrorPage(context: FileContext, site: Site, status: Status): RenderedPage | undefined {
  const target = site.rules.errorPages.get(status);
  const parsed = target === undefined ? undefined : parseSitePath(target);
  if (parsed?.kind !== "path") return undefined;
  try {
    const found = findFile(context, site, parsed.path.segments);
    return found.kind === "file" ? readPage(found) : undefined;
  } catch {
    // A fault of the disk must not replace the error of this response, which may be the same fault.
    return undefined;
  }
}

function readPage(found: FileResource): RenderedPage | undefined {
  try {
    if (found.facts.size > MAX_ERROR_PAGE) return undefined;
    const { content, facts } = found;
    const { mediaType } = facts;
    if (content.kind === "memory") return { mediaType, bytes: content.bytes };
    const whole = readWhole(content.source, MAX_ERROR_PAGE);
    return whole.kind === "read" ? { mediaType, bytes: whole.bytes } : undefined;
  } finally {
    release(found);
  }
}

function readAndClose(source: OpenSource, limit: Bytes, symlinks: SymlinkRule): WholeFile | Unopened {
  try {
    return readWhole(source, limit);
  } catch (error) {
    return explainFileError(error, symlinks);
  } finally {
    closeFile(source.descriptor);
  }
}

/** Whether a request may name the file. A hidden index file or error page is not kept in memory. */
export function isServedByName({ rules }: Site, segments: readonly string[]): boolean {
  // A temporary name begins with a dot too.
  return rules.dotfiles ? !segments.some(isTemporaryName) : !isDotfilePath({ segments, directory: false });
}

function isTypeAllowed({ rules }: Site, name: string): boolean {
  return rules.types.length === 0 || rules.types.includes(extensionOf(name));
}

function describeFile(
  { rules }: Site,
  name: string,
  size: Bytes,
  modified: UnixSeconds | undefined,
  tag: EntityTag,
): FileFacts {
  const facts: FileFacts = { size, modified, tag, mediaType: mediaTypeOf(name, rules.mimeTypes, rules.charset) };
  return rules.download.includes(extensionOf(name)) ? { ...facts, downloadName: name } : facts;
}
