/**
 * One virtual host: a name, a document root, and the rules by which its files are served.
 */
import type { SiteSettings } from "../config/settings.ts";
import type { DocumentRoot } from "./document-root.ts";

export interface Site {
  /** The host name in lower case; for the main site any word that tells people which it is. */
  readonly name: string;
  readonly root: DocumentRoot;
  readonly rules: SiteRules;
}

/** The options of a site (config/options.ts), but for its docbase, which is the root. */
export type SiteRules = Omit<SiteSettings, "docbase">;
