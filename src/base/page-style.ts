/**
 * What the pages Comanche makes itself have in common: directory index, error page, status page.
 *
 * Constant text, so that each page can put it in its one inline style sheet and name that by its hash in a
 * Content-Security-Policy. No fonts, pictures or scripts are fetched from anywhere.
 */

/** Colours as custom properties, light and dark, and the type they are set in: the beginning of a page's style sheet. */
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
