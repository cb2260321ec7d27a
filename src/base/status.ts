/**
 * The status codes Comanche sends and their names (RFC 9110 §15; 431: RFC 6585; 507: RFC 4918).
 */
const REASON_PHRASES = {
  200: "OK",
  201: "Created",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  304: "Not Modified",
  308: "Permanent Redirect",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
  507: "Insufficient Storage",
} as const;

export type Status = keyof typeof REASON_PHRASES;

/** The statuses that end in an error page. */
export type ErrorStatus = Exclude<Status, 200 | 201 | 204 | 206 | 301 | 304 | 308>;

export function reasonPhrase(status: Status): string {
  return REASON_PHRASES[status];
}

/** Every status that can have a page of its own (`error-404` and the like), in order. */
export const ERROR_STATUSES: readonly ErrorStatus[] = Object.keys(REASON_PHRASES)
  .map((code) => Number(code) as Status)
  .filter((code): code is ErrorStatus => code >= 400);
