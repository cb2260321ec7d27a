/**
 * What a reason code means to the person who reads an error page: one sentence, plain text without markup.
 * What it means to an operator stands in `http/reason.ts`.
 */
import type { Reason } from "../http/reason.ts";

const MALFORMED = "The browser or program in use sent a request that breaks the rules of HTTP, so it was not answered.";
const WRONG_ADDRESS = "This address is not written correctly. Please check it for a typing error.";
const NOT_HERE =
  "There is nothing at this address. It may have been moved or deleted, or the address may have a typing error.";
const BUSY = "The server has too much to do at this moment. Please try again in a few seconds.";

export const REASON_SENTENCES: Readonly<Record<Reason, string>> = {
  "bad-request-line": MALFORMED,
  "bad-target": WRONG_ADDRESS,
  "bad-version": MALFORMED,
  "version-unsupported": "This server speaks HTTP/1.1 and HTTP/1.0, and was spoken to in a later version.",
  "bad-line-end": MALFORMED,
  "bad-field": MALFORMED,
  "obs-fold": MALFORMED,
  "bad-host": "The request does not say properly which site it is for.",
  "bad-content-length": MALFORMED,
  "bad-transfer-encoding": MALFORMED,
  "length-conflict": MALFORMED,
  "bad-chunk": MALFORMED,
  "target-too-long": "This address is longer than the server accepts.",
  "header-too-large":
    "The request carries more header fields than the server accepts. Deleting this site's cookies may help.",
  "body-too-large": "What was sent is larger than the server accepts.",
  "header-timeout": "The request took too long to arrive. Please try again.",
  "body-timeout": "What was being sent took too long to arrive. Please try again.",
  "unknown-expectation": "The request expects something of the server that it does not know.",
  "unknown-method": "The request asks for an action that the server does not know.",
  "method-not-allowed": "The requested action is not possible at this address.",
  "too-many-connections": BUSY,
  "bad-path-encoding": WRONG_ADDRESS,
  "bad-path-character": WRONG_ADDRESS,
  traversal: NOT_HERE,
  "host-unknown": "There is no site of this name on this server.",
  "not-found": NOT_HERE,
  "not-a-file": NOT_HERE,
  dotfile: NOT_HERE,
  "symlink-escape": NOT_HERE,
  "name-too-long": NOT_HERE,
  "no-permission": "The server is not allowed to read what is at this address. Its owner can change that.",
  "no-listing": "This is a folder, and its contents are not shown.",
  "type-not-allowed": "Files of this type are not served here.",
  "out-of-descriptors": BUSY,
  "precondition-failed": "The file has changed since the program in use last looked at it.",
  "too-many-from-client": "Too many connections from your address are open at once. Please try again in a moment.",
  "queue-full": "The server has as much to do as it can take on. Please try again in a few seconds.",
  "upload-type": "Only plain application/json can be uploaded here.",
  "bad-json": "What was sent is not valid JSON.",
  "bad-digest": "The digest sent with the upload cannot be understood.",
  "digest-mismatch": "What arrived is not what the digest says: it was damaged on its way. Please send it again.",
  "no-space": "There is no room left to store this.",
  "upload-unavailable": "Uploads cannot be stored at present.",
  "range-unsatisfiable": "The requested part lies outside the file, which may have become shorter.",
  "changed-while-sending": "The file changed while it was being sent. Please ask for it again.",
  "send-timeout": "The answer was not taken in time. Please ask for it again.",
  "internal-error": "Something went wrong inside the server. Its operator finds the details in the log.",
};
