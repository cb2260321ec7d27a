/**
 * Absolute paths, and what lies below one. Names are compared, nothing is looked up.
 */
import { unreachable } from "./errors.ts";

declare const absolute: unique symbol;

/** A file-system path that begins with `/`. */
export type AbsolutePath = string & { readonly [absolute]: true };

/** @throws when `path` is relative: a caller that has one must resolve it first */
export function absolutePath(path: string): AbsolutePath {
  if (!path.startsWith("/")) throw new Error(`not an absolute path: ${path}`);
  return path as AbsolutePath;
}

/** Which symbolic links are followed: those that stay inside the document root, none, or every one. */
export type SymlinkRule = "inside" | "never" | "anywhere";

/** Whether `realPath` is `realRoot` or lies below it. Both must be real paths: names are compared, nothing is looked up. */
export function contains(realRoot: AbsolutePath, realPath: string): boolean {
  if (realRoot === "/") return realPath.startsWith("/");
  return realPath === realRoot || realPath.startsWith(`${realRoot}/`);
}

/** Whether a file that was asked for as `path` below `realRoot`, and really lies at `place`, may be served. */
export function isAllowedPlace(rule: SymlinkRule, realRoot: AbsolutePath, path: AbsolutePath, place: string): boolean {
  switch (rule) {
    case "inside":
      return contains(realRoot, place);
    case "never":
      return place === path && isExactPath(place);
    case "anywhere":
      return true;
    default:
      return unreachable(rule);
  }
}

/** @param relative  names joined by slashes, each of them neither empty nor `.` nor `..`; empty for `root` itself */
export function pathBelow(root: AbsolutePath, relative: string): AbsolutePath {
  if (relative === "") return root;
  return absolutePath(root.endsWith("/") ? root + relative : `${root}/${relative}`);
}

/**
 * Whether a path that came from the file system is exactly the bytes that lie there. Bytes that are not UTF-8 are read as
 * U+FFFD, so a path that holds that character may stand for several names.
 */
export function isExactPath(path: string): boolean {
  return !path.includes("\uFFFD");
}
