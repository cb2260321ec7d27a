/** Whether the first bytes on a TLS port begin a handshake (RFC 8446 §5.1). Plain HTTP gets a clear answer. */
import type { OpeningDecision } from "../transport/opening.ts";
import { decideProxied } from "../transport/proxy-opening.ts";
import { type AlertName, plainAlert } from "./alert.ts";
import { readClientHello } from "./client-hello.ts";

/** The content type of a handshake record: every ClientHello begins with it. */
const HANDSHAKE = 0x16;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;

const TEXT = "This port speaks HTTPS: ask with https:// instead of http://.\n";
const ANSWER = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: text/plain; charset=utf-8",
  `Content-Length: ${TEXT.length}`,
  "Connection: close",
  "",
  TEXT,
].join("\r\n");

/** @param bytes  at least one */
export function decideTlsOpening(bytes: Uint8Array): OpeningDecision {
  const first = bytes[0] as number;
  if (first === HANDSHAKE) return decideHello(bytes);
  // Every method begins with a capital letter.
  if (first >= UPPER_A && first <= UPPER_Z) return { kind: "refused", why: "plain HTTP on a TLS port", answer: ANSWER };
  return { kind: "refused", why: "no TLS handshake", answer: "" };
}

function decideHello(bytes: Uint8Array): OpeningDecision {
  const hello = readClientHello(bytes);
  switch (hello.kind) {
    case "need-more":
      return hello;
    case "hello":
      return { kind: "open", consumed: 0, peer: undefined, serverName: hello.serverName };
    case "refused":
      return { kind: "refused", why: hello.why, answer: alertText(hello.alert) };
  }
}

function alertText(name: AlertName): string {
  return Buffer.from(plainAlert(name)).toString("latin1");
}

/** With strict SNI, a client with an unknown name gets an alert. */
export function refuseUnknownName(decision: OpeningDecision, isKnown: (name: string) => boolean): OpeningDecision {
  if (decision.kind !== "open" || decision.serverName === undefined || isKnown(decision.serverName)) return decision;
  return { kind: "refused", why: "no certificate for the SNI name", answer: alertText("unrecognized_name") };
}

/** The same behind a PROXY header. @param bytes  all received so far */
export function decideProxiedTls(bytes: Uint8Array): OpeningDecision {
  const header = decideProxied(bytes);
  if (header.kind !== "open") return header;
  const behind = bytes.subarray(header.consumed);
  if (behind.length === 0) return { kind: "need-more", isSilent: true };
  const opening = decideTlsOpening(behind);
  return opening.kind === "open" ? { ...opening, consumed: header.consumed, peer: header.peer } : opening;
}
