/**
 * From a site and a path to the resource: the file, the index file of a directory, its listing, the redirect to its
 * final slash, or why there is none.
 */
import { unreachable } from "../base/errors.ts";
import type { Seconds } from "../base/units.ts";
import { preferredForm } from "../http/accept.ts";
import type { IncomingRequest } from "../http/exchange.ts";
import { formatSitePath, parseSitePath, type SitePath } from "../http/site-path.ts";
import type { TaskPool } from "../tasks/task-types.ts";
import { type FileContext, findFile, isServedByName } from "./find-file.ts";
import { closeFile, openDirectoryBelow } from "./open-file.ts";
import type { Resource } from "./resource.ts";
import type { FailedListing, SharedListing, SharedListings } from "./shared-listings.ts";
import type { Site } from "./site.ts";
import type { UploadLedger } from "./upload-quota.ts";

/** Shared by all requests. */
export interface LocateContext extends FileContext {
  readonly pool: TaskPool;
  readonly listings: SharedListings;
  readonly uploads: UploadLedger;
  /** Retry-After of a 503. */
  readonly retryAfter: Seconds;
}

type Located = Pick<IncomingRequest, "head" | "gone">;

/** The caller hands the resource to `release` when its response has ended. */
export function locate(context: LocateContext, site: Site, request: Located): Resource | Promise<Resource> {
  const parsed = parseSitePath(request.head.path);
  if (parsed.kind === "refused") {
    const status = parsed.reason === "traversal" ? site.rules.traversalStatus : 400;
    return { kind: "refused", status, reason: parsed.reason };
  }
  const { path } = parsed;
  if (!isServedByName(site, path.segments)) return { kind: "refused", status: 404, reason: "dotfile" };
  if (path.directory) return locateDirectory(context, site, path, request);
  const found = findFile(context, site, path.segments);
  return found.kind === "directory" ? redirectToDirectory(path, request.head.query) : found;
}

/** Built from the decoded path, so the location begins with one slash whatever the client sent. */
function redirectToDirectory(path: SitePath, query: string | undefined): Resource {
  const location = formatSitePath({ segments: path.segments, directory: true });
  return { kind: "redirect", location: query === undefined ? location : `${location}?${query}` };
}

function locateDirectory(
  context: LocateContext,
  site: Site,
  path: SitePath,
  request: Located,
): Resource | Promise<Resource> {
  for (const [place, name] of site.rules.indexfiles.entries()) {
    const indexfile = { segments: [...path.segments, name], directory: false };
    const found = findFile(context, site, indexfile.segments);
    if (found.kind === "file") {
      // Only the first name of the list: a later one is right only while those before it are missing.
      if (place === 0) context.files.alias(site, formatSitePath(path), formatSitePath(indexfile));
      return found;
    }
    if (found.kind !== "directory" && !isAbsent(found)) return found;
  }
  return listDirectory(context, site, path, request);
}

function isAbsent(found: Resource): boolean {
  return found.kind === "refused" && (found.reason === "not-found" || found.reason === "not-a-file");
}

function listDirectory(
  context: LocateContext,
  site: Site,
  path: SitePath,
  request: Located,
): Resource | Promise<Resource> {
  const { rules, root } = site;
  const { head } = request;
  const directory = openDirectoryBelow(root, path.segments, rules.symlinks);
  if (directory.kind !== "directory") return directory;
  const realRoot = root.realPath();
  if (!rules.listing || realRoot === undefined) {
    closeFile(directory.descriptor);
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
  const listing = context.listings.list(directory.descriptor, input, request.gone);
  return listing.then((made) => listingResource(context, made));
}

function listingResource(context: LocateContext, listing: SharedListing): Resource {
  switch (listing.kind) {
    case "page": {
      const { mediaType, bytes, securityPolicy } = listing.page;
      return {
        kind: "page",
        page: { mediaType, bytes, securityPolicy, vary: "Accept" },
        release: listing.release,
      };
    }
    case "failed":
      return listingFailure(context, listing);
    case "busy":
      return queueFull(context);
    default:
      return unreachable(listing);
  }
}

export function queueFull({ retryAfter }: LocateContext): Resource {
  return { kind: "busy", reason: "queue-full", retryAfter };
}

function listingFailure({ retryAfter }: LocateContext, { reason, fault = "" }: FailedListing): Resource {
  switch (reason) {
    case "not-found":
      return { kind: "refused", status: 404, reason };
    case "no-permission":
      return { kind: "refused", status: 403, reason };
    case "out-of-descriptors":
      return { kind: "busy", reason, retryAfter };
    case "unreadable":
      return { kind: "busy", reason, retryAfter, fault };
  }
}
