/** One file of a site, from memory or opened: for a request, or as the site's own error page. */
import { closeSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import type { Status } from "../base/status.ts";
import { bytes } from "../base/units.ts";
import { isTemporaryName } from "../base/upload-name.ts";
import { fileEntityTag } from "../http/entity-tag.ts";
import { extensionOf, mediaTypeOf } from "../http/media-type.ts";
import type { FileFacts } from "../http/response-plan.ts";
import { formatSitePath, isDotfilePath, parseSitePath } from "../http/site-path.ts";
import type { FileCache } from "./file-cache.ts";
import { type FoundDirectory, type OpenedFile, openBelow, readWhole } from "./open-file.ts";
import type { RenderedPage, Resource } from "./resource.ts";
import type { Site } from "./site.ts";

export interface FileContext {
  readonly files: FileCache;
  readonly clock: Clock;
}

type FileResource = Extract<Resource, { kind: "file" }>;

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
    // A file with a weak tag may still change without a new time: it is read again next time.
    if (!facts.tag.weak && isServedByName(site, segments)) {
      context.files.store(site, path, { identity: { facts, bytes: content } }, opened.stamp);
    }
    return { kind: "file", facts, content: { kind: "memory", bytes: content } };
  }
}

/** Closes the descriptor of the resource, and frees its reserved memory. */
export function release(resource: Resource): void {
  if (resource.kind === "file" && resource.content.kind === "open") closeSync(resource.content.source.descriptor);
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
    const bytes = content.kind === "memory" ? content.bytes : readWhole(content.source);
    return bytes && { mediaType: facts.mediaType, bytes };
  } finally {
    release(found);
  }
}

function readAndClose(opened: OpenedFile): Uint8Array | undefined {
  try {
    return readWhole(opened);
  } finally {
    closeSync(opened.descriptor);
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

function describeFile(context: FileContext, { rules }: Site, name: string, opened: OpenedFile): FileFacts {
  const facts: FileFacts = {
    size: opened.identity.size,
    modified: opened.modified,
    tag: fileEntityTag(opened.identity, context.clock.wall()),
    mediaType: mediaTypeOf(name, rules.mimeTypes, rules.charset),
  };
  return rules.download.includes(extensionOf(name)) ? { ...facts, downloadName: name } : facts;
}
