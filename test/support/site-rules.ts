import { absolutePath } from "../../src/base/absolute-path.ts";
import { LayerReader } from "../../src/config/layer.ts";
import { siteOptions } from "../../src/config/options.ts";
import type { SiteRules } from "../../src/site/site.ts";

const situation = { isRoot: false, htdocs: absolutePath("/htdocs") };

/** The rules of a site that has every option at its default but for uploads, with some of them changed. */
export function siteRules(changes: Partial<SiteRules> = {}): SiteRules {
  const { docbase: _, ...defaults } = new LayerReader(new Map(), situation, []).readRows(siteOptions);
  return { ...defaults, upload: undefined, mimeTypes: new Map(), errorPages: new Map(), ...changes };
}
