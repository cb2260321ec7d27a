import type { SiteRules } from "../../src/site/site.ts";

/** The rules of an ordinary site, with some of them changed. */
export function siteRules(changes: Partial<SiteRules> = {}): SiteRules {
  return {
    symlinks: "inside",
    dotfiles: false,
    indexfiles: ["index.html", "index.htm"],
    listing: true,
    chunked: false,
    upload: undefined,
    uploadDir: "uploads",
    uploadQuota: undefined,
    charset: "utf-8",
    traversalStatus: 404,
    types: [],
    download: [],
    mimeTypes: new Map(),
    errorPages: new Map(),
    hosts: [],
    ...changes,
  };
}
