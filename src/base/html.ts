/**
 * What the pages that Comanche makes have in common: directory index, error page, status page.
 */

/**
 * Colours and fonts: the beginning of a page's style sheet. It is constant, so that each page can name its one inline
 * style sheet by its hash in a Content-Security-Policy. Nothing is fetched from anywhere.
 */
export const PAGE_STYLE = `:root{
color-scheme:light dark;
--paper:#fdfcfa;--raised:#f5f2ed;--ink:#24201c;--muted:#6d655d;--line:#e4ded6;--accent:#a84a24;
--text:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans","Liberation Sans",sans-serif;
--code:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace
}
@media (prefers-color-scheme:dark){:root{
--paper:#191715;--raised:#23201d;--ink:#e9e4de;--muted:#a49b92;--line:#38332e;--accent:#e8946a
}}
@media print{:root{
color-scheme:light;--paper:#fff;--raised:#fff;--ink:#000;--muted:#444;--line:#bbb;--accent:#000
}}
*{box-sizing:border-box}
html{background:var(--paper);-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;color:var(--ink);font:400 1rem/1.5 var(--text)}
a{color:var(--accent);text-decoration-thickness:1px;text-underline-offset:.2em}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
`;

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&#39;"],
]);

/** `text` as HTML shows it: safe between tags, and as the value of an attribute in quotes of either kind. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES.get(character) ?? character);
}
