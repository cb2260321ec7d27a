/**
 * One virtual host: a name, a document root, and the rules by which its files are served.
 */
import type { SymlinkRule } from "../base/absolute-path.ts";
import type { Bytes } from "../base/units.ts";
import type { DocumentRoot } from "./document-root.ts";

export interface Site {
  /** The host name in lower case; for the main site any word that tells people which it is. */
  readonly name: string;
  readonly root: DocumentRoot;
  readonly rules: SiteRules;
}

/** What serving needs to know of a site's settings. Extensions and host names are in lower case, extensions without the dot. */
export interface SiteRules {
  readonly symlinks: SymlinkRule;
  /** Whether names that begin with a dot are served; `/.well-known/` always is. */
  readonly dotfiles: boolean;
  /** Names tried in this order for a directory. */
  readonly indexfiles: readonly string[];
  /** Whether a directory without index file is listed. */
  readonly listing: boolean;
  /** Whether files are sent in the chunked coding. */
  readonly chunked: boolean;
  /** The URL path that takes uploads; undefined for none. */
  readonly upload: string | undefined;
  /** Where they are stored; a relative path is below the root. */
  readonly uploadDir: string;
  /** Of all uploads together; undefined for no bound. */
  readonly uploadQuota: Bytes | undefined;
  /** Of text files; empty for none. */
  readonly charset: string;
  /** The answer to a `..` segment. */
  readonly traversalStatus: 400 | 403 | 404;
  /** Extensions that are served; empty for all. */
  readonly types: readonly string[];
  /** Extensions that are offered as downloads. */
  readonly download: readonly string[];
  /** Media types by extension, before the built-in ones. */
  readonly mimeTypes: ReadonlyMap<string, string>;
  /** By status: the path of a page below the root, as it would stand in a URL. */
  readonly errorPages: ReadonlyMap<number, string>;
  /** Hosts that are answered, without port; empty for all. */
  readonly hosts: readonly string[];
}
