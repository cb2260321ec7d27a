declare const absolute: unique symbol;

/** A file-system path that begins with `/`. */
export type AbsolutePath = string & { readonly [absolute]: true };

/** @throws when `path` is relative: a caller that has one must resolve it first */
export function absolutePath(path: string): AbsolutePath {
  if (!path.startsWith("/")) throw new Error(`not an absolute path: ${path}`);
  return path as AbsolutePath;
}
