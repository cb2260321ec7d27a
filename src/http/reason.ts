/**
 * Reason codes: why a request was refused, in one stable word for the error page, the log and the manual. A row
 * explains the word to the operator who reads the log, and to the visitor who reads the error page: a plain-text
 * sentence without markup. Clients get nothing else.
 */
const MALFORMED = "The browser or program in use sent a request that breaks the rules of HTTP, so it was not answered.";
const WRONG_ADDRESS = "This address is not written correctly. Please check it for a typing error.";
const NOT_HERE =
  "There is nothing at this address. It may have been moved or deleted, or the address may have a typing error.";
const BUSY = "The server is busy at this moment. Please try again in a few seconds.";

interface ReasonTexts {
  readonly operator: string;
  readonly visitor: string;
}

export const REASONS = {
  "bad-request-line": reason(
    "the request line is not method, one blank, target, one blank, HTTP/1.x (RFC 9112 §3)",
    MALFORMED,
  ),
  "bad-target": reason(
    "the request target has none of the four forms, or forbidden bytes (RFC 9112 §3.2)",
    WRONG_ADDRESS,
  ),
  "bad-version": reason("the version is not HTTP/digit.digit (RFC 9112 §2.3)", MALFORMED),
  "version-unsupported": reason(
    "HTTP/2 and later are not supported",
    "This server supports HTTP/1.1 and HTTP/1.0, and the request uses a later version.",
  ),
  "bad-line-end": reason("a line does not end in CR LF, or holds a CR of its own (RFC 9112 §2.2)", MALFORMED),
  "bad-field": reason("a header line is not name, colon, value (RFC 9112 §5)", MALFORMED),
  "obs-fold": reason("a header line is continued on the next (RFC 9112 §5.2)", MALFORMED),
  "bad-host": reason(
    "Host is missing, repeated or not a host (RFC 9112 §3.2)",
    "The request does not name its site correctly.",
  ),
  "bad-content-length": reason("Content-Length is repeated or not a number of digits (RFC 9112 §6.3)", MALFORMED),
  "bad-transfer-encoding": reason(
    "Transfer-Encoding is not exactly chunked, or stands where it must not (RFC 9112 §6.1)",
    MALFORMED,
  ),
  "length-conflict": reason("Content-Length and Transfer-Encoding together (RFC 9112 §6.3)", MALFORMED),
  "bad-chunk": reason("the chunked body is malformed (RFC 9112 §7.1)", MALFORMED),
  "target-too-long": reason(
    "the request line is longer than max-target",
    "This address is longer than the server accepts.",
  ),
  "header-too-large": reason(
    "the header fields are longer than max-header, or more than max-fields",
    "The request carries more header fields than the server accepts. Deleting this site's cookies may help.",
  ),
  "body-too-large": reason("the body is longer than max-body", "What was sent is larger than the server accepts."),
  "header-timeout": reason(
    "the request head was not complete within header-timeout",
    "The request took too long to arrive. Please try again.",
  ),
  "body-timeout": reason(
    "no byte of the body arrived for body-timeout",
    "What was being sent took too long to arrive. Please try again.",
  ),
  "body-too-slow": reason(
    "after the first body-timeout, the body as a whole was slower than body-rate",
    "What was being sent took too long to arrive. Please try again over a faster connection.",
  ),
  "unknown-expectation": reason(
    "Expect has a value other than 100-continue (RFC 9110 §10.1.1)",
    "The request expects a feature that the server does not have.",
  ),
  "unknown-method": reason("unknown method", "The request asks for an action that the server does not support."),
  "method-not-allowed": reason(
    "the method is known but not allowed here",
    "The requested action is not possible at this address.",
  ),
  "too-many-connections": reason("more than max-connections are open", BUSY),
  "too-many-from-client": reason(
    "more than connections-per-client are open from one address",
    "Too many connections from your address are open at once. Please try again in a moment.",
  ),
  "queue-full": reason(
    "all threads are busy and the queue is full",
    "The server is busy. Please try again in a few seconds.",
  ),
  "bad-path-encoding": reason("a percent sign without two hex digits, or bytes that are not UTF-8", WRONG_ADDRESS),
  "bad-path-character": reason("NUL, an encoded slash or a backslash in the path", WRONG_ADDRESS),
  traversal: reason("a .. segment in the path", NOT_HERE),
  "host-unknown": reason(
    "no site of that name, or not one of `hosts`",
    "There is no site of this name on this server.",
  ),
  "not-found": reason("no file or directory of that name", NOT_HERE),
  "not-a-file": reason("neither a regular file nor a directory", NOT_HERE),
  dotfile: reason("a name that begins with a dot", NOT_HERE),
  "symlink-escape": reason(
    "a symbolic link that leads out of the document root, or any link with symlinks = never",
    NOT_HERE,
  ),
  "name-too-long": reason("a name longer than the file system allows", NOT_HERE),
  "no-permission": reason(
    "the server has no permission to read it",
    "The server is not allowed to read what is at this address. Its owner can change that.",
  ),
  "no-listing": reason(
    "a directory without index file, and listing = no",
    "This is a folder, and its contents are not shown.",
  ),
  "type-not-allowed": reason("the file's extension is not one of `types`", "Files of this type are not served here."),
  "upload-type": reason(
    "an upload is not application/json, or is in a content coding",
    "Only plain application/json can be uploaded here.",
  ),
  "bad-json": reason("an upload is not one JSON text (RFC 8259)", "What was sent is not valid JSON."),
  "bad-digest": reason(
    "Content-Digest or Repr-Digest is malformed (RFC 9530)",
    "The digest sent with the upload cannot be understood.",
  ),
  "digest-mismatch": reason(
    "an upload is not what its Content-Digest or Repr-Digest says (RFC 9530)",
    "What arrived is not what the digest says: it was damaged on its way. Please send it again.",
  ),
  "no-space": reason("the disk is full, or upload-quota is used up", "There is no room left to store this."),
  "upload-unavailable": reason("upload-dir cannot be written", "Uploads cannot be stored at present."),
  "root-moved": reason(
    "the document root was moved or made again where the sandbox of this worker does not reach; another worker takes over",
    BUSY,
  ),
  "out-of-descriptors": reason("no file descriptors are left", BUSY),
  unreadable: reason(
    "the file system failed; the event log names its error",
    "This file cannot be read at present. Please try again later.",
  ),
  "precondition-failed": reason(
    "If-Match or If-Unmodified-Since does not hold (RFC 9110 §13)",
    "The file has changed since the program in use last looked at it.",
  ),
  "changed-while-sending": reason(
    "the file was rewritten or became shorter while it was being sent; the connection was closed",
    "The file changed while it was being sent. Please ask for it again.",
  ),
  "send-timeout": reason(
    "the client read nothing for send-timeout; the connection was reset",
    "The response was not read in time. Please ask for it again.",
  ),
  "range-unsatisfiable": reason(
    "no part of the range is inside the file (RFC 9110 §14)",
    "The requested part lies outside the file, which may have become shorter.",
  ),
  "internal-error": reason(
    "an internal error; the log has its stack trace",
    "Something went wrong inside the server. Its operator finds the details in the log.",
  ),
};

export type Reason = keyof typeof REASONS;

function reason(operator: string, visitor: string): ReasonTexts {
  return { operator, visitor };
}
