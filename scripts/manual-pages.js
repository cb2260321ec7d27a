/**
 * What the pages of the manual share: the head, the navigation, the list "On this page" and the foot.
 *
 * A page keeps what is its own: its title, its description, its text. A new page needs these, a `<main>`, and a row here.
 */

/** The pages of the navigation, in its order. */
const NAVIGATION = [
  ["start.html", "Start"],
  ["options.html", "Options"],
  ["sites.html", "Sites"],
  ["http.html", "HTTP"],
  ["uploads.html", "Uploads"],
  ["logs.html", "Logs"],
  ["service.html", "Service"],
  ["tls.html", "TLS"],
  ["proxies.html", "Proxies"],
  ["terminator.html", "Terminator"],
  ["speed.html", "Speed"],
];

export const PAGES = ["index.html", ...NAVIGATION.map(([file]) => file), "404.html"];

/** The page with everything that is shared as it is today. */
export function framePage(file, page) {
  const main = page.slice(page.indexOf("    <main"), page.indexOf("</main>"));
  const title = /<title>(.*?)<\/title>/.exec(page)?.[1] ?? "";
  const description = /<meta name="description" content="(.*?)">/.exec(page)?.[1] ?? "";
  return `${formatHead(file, title, description)}${listHeadings(main)}${FOOT}`;
}

function formatHead(file, title, description) {
  // The error page is shown at any depth.
  const isErrorPage = file === "404.html";
  const root = isErrorPage ? "/" : "";
  const currentIf = (isCurrent) => (isCurrent ? ' aria-current="page"' : "");
  const robots = isErrorPage ? '\n    <meta name="robots" content="noindex">' : "";
  const links = NAVIGATION.map(
    ([target, label]) => `          <li><a href="${root}${target}"${currentIf(target === file)}>${label}</a></li>`,
  );
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title}</title>
    <meta name="description" content="${description}">${robots}
    <link rel="icon" href="${root}favicon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="${root}style.css">
  </head>
  <body>
    <a class="skip" href="#content">Skip to the text</a>
    <header class="masthead">
      <a class="brand" href="${root || "./"}"${currentIf(file === "index.html")}><img src="${root}favicon.svg" width="30" height="30" alt=""> Comanche</a>
      <nav class="pages" aria-label="Manual">
        <ul>
${links.join("\n")}
        </ul>
      </nav>
    </header>
`;
}

/** `main` with the list "On this page", where it has one, made of its headings. */
function listHeadings(main) {
  const headings = [...main.matchAll(/<h2 id="(?!contents")(.+?)">(.+?)<\/h2>/g)];
  const items = headings.map(([, id, text]) => `            <li><a href="#${id}">${text}</a></li>\n`);
  return main.replace(
    /(<h2 id="contents">.*?<\/h2>\n +<ul>\n).*?( +<\/ul>)/s,
    (_, before, after) => `${before}${items.join("")}${after}`,
  );
}

const FOOT = `</main>
    <footer class="foot">
      <p>The manual of Comanche, served by Comanche. Free software under the BSD 2-Clause licence.</p>
    </footer>
  </body>
</html>
`;
