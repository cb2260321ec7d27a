/**
 * The built-in error pages: HTML for browsers, text for terminals, JSON for programs (RFC 9457). A page has only the
 * status, the reason and perhaps a detail in our own words, so nothing from a request gets into it.
 */
import { escapeHtml, PAGE_STYLE } from "../base/html.ts";
import { type ErrorStatus, reasonPhrase } from "../base/status.ts";
import { preferredForm } from "../http/accept.ts";
import { REASONS, type Reason } from "../http/reason.ts";
import type { RenderedPage } from "./resource.ts";

type Form = "html" | "plain" | "problem";

// One entry per status, reason and form; in practice a handful.
const rendered = new Map<string, RenderedPage>();

/**
 * The page in the client's preferred form. The same bytes serve every request.
 * @param detail  what exactly is wrong with this one request: such a page is not kept
 */
export function renderErrorPage(
  status: ErrorStatus,
  reason: Reason,
  accept: string | undefined,
  detail?: string,
): RenderedPage {
  const form = chooseForm(accept);
  if (detail !== undefined) return render(form, { status, reason, detail });
  const key = `${form} ${status} ${reason}`;
  const known = rendered.get(key);
  if (known !== undefined) return known;

  const page = render(form, { status, reason });
  rendered.set(key, page);
  return page;
}

/** A client that accepts anything, as curl does, gets plain text; HTML and JSON are for those that name them. */
function chooseForm(accept: string | undefined): Form {
  if (accept === undefined || !/html|json/i.test(accept)) return "plain";

  switch (preferredForm(accept, ["text/html", "application/problem+json", "application/json", "text/plain"])) {
    case "text/html":
      return "html";
    case "text/plain":
      return "plain";
    default:
      return "problem";
  }
}

interface ErrorText {
  readonly status: ErrorStatus;
  readonly reason: Reason;
  readonly detail?: string;
}

function render(form: Form, error: ErrorText): RenderedPage {
  switch (form) {
    case "html":
      return toPage("text/html; charset=utf-8", formatHtml(error));
    case "plain":
      return toPage("text/plain; charset=utf-8", formatPlain(error));
    case "problem":
      return toPage("application/problem+json", formatProblem(error));
  }
}

function toPage(mediaType: string, text: string): RenderedPage {
  return { mediaType, bytes: new TextEncoder().encode(text), vary: "Accept" };
}

function formatPlain({ status, reason, detail }: ErrorText): string {
  const sentences = [REASONS[reason].visitor, ...(detail === undefined ? [] : [detail])].join("\n\n");
  return `${status} ${reasonPhrase(status)}\n\n${sentences}\n\nReason code: ${reason}\n`;
}

/** `about:blank`: the problem is only what its status says; `reason` is our extension (RFC 9457 §4.2.1, §3.2). */
function formatProblem({ status, reason, detail = REASONS[reason].visitor }: ErrorText): string {
  return `${JSON.stringify({ type: "about:blank", title: reasonPhrase(status), status, detail, reason })}\n`;
}

function formatHtml({ status, reason, detail }: ErrorText): string {
  const more = detail === undefined ? "" : `\n<p>${escapeHtml(detail)}</p>`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${status} ${reasonPhrase(status)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<main>
<p class="status" aria-hidden="true">${status}</p>
<h1>${reasonPhrase(status)}</h1>
<p>${REASONS[reason].visitor}</p>${more}
<p class="more"><a href="/">Start page</a> <span>Reason code: <code>${reason}</code></span></p>
</main>
</body>
</html>
`;
}

const STYLE = `${PAGE_STYLE}
body { min-height: 100vh; display: grid; place-items: center; font-size: 1.0625rem; line-height: 1.6 }
main { max-width: 30rem; padding: 2rem }
.status { margin: 0; font-size: 5rem; font-weight: 700; line-height: 1; letter-spacing: -.04em; color: var(--accent) }
h1 { margin: .5rem 0; font-size: 1.5rem; line-height: 1.25 }
.more { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1.5rem; margin-top: 2rem;
  padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem; color: var(--muted) }
code { font-family: var(--code) }`;
