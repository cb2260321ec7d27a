/**
 * Which key a session ticket is for (RFC 5077 §4, RFC 8446 §4.6.1). Of several keys the first encrypts and all decrypt, so
 * that a key can be replaced and no client needs a full handshake: a ticket of an older key is renewed with the first.
 */
import { randomBytes } from "node:crypto";

/** At least one key of 48 bytes, in the form of Node's `ticketKeys`. A reader of them can decrypt resumed sessions. */
export type TicketRing = readonly Uint8Array[];

/** Name, HMAC key and AES key. */
export const TICKET_KEY_BYTES = 48;
const PART_BYTES = 16;

/** As OpenSSL's callback returns them (SSL_CTX_set_tlsext_ticket_key_cb(3)). */
const UNKNOWN = 0;
const GOOD = 1;
const GOOD_RENEW = 2;

/** In the order that Node reads them in. Name and initialization vector count for a new ticket only. */
export type TicketAnswer = readonly [
  outcome: number,
  hmacKey: Uint8Array,
  aesKey: Uint8Array,
  name: Uint8Array,
  vector: Uint8Array,
];

/** @param name  of the key, in the ticket that a client shows; undefined for a new ticket */
export function answerTicket(ring: TicketRing, name: Uint8Array | undefined): TicketAnswer {
  const place = name === undefined ? 0 : ring.findIndex((key) => Buffer.compare(nameOf(key), name) === 0);
  const key = ring[Math.max(0, place)];
  if (key === undefined) throw new Error("there is no ticket key");
  const outcome = place === -1 ? UNKNOWN : place === 0 ? GOOD : GOOD_RENEW;
  const [hmacKey, aesKey] = [key.subarray(PART_BYTES, 2 * PART_BYTES), key.subarray(2 * PART_BYTES, 3 * PART_BYTES)];
  return [outcome, hmacKey, aesKey, nameOf(key), name === undefined ? randomBytes(PART_BYTES) : name];
}

/**
 * The ring to use on the way from one to another. Processes do not get a new key at the same instant, so each must be able
 * to decrypt with it before one of them encrypts with it.
 * @returns `wanted` itself where nothing is in the way, also where it drops the key that encrypts now
 */
export function introduceKey(before: TicketRing, wanted: TicketRing): TicketRing {
  const [old] = before;
  const [next] = wanted;
  if (old === undefined || next === undefined || has(before, next) || !has(wanted, old)) return wanted;
  return [old, ...wanted.filter((key) => Buffer.compare(key, old) !== 0)];
}

function has(ring: TicketRing, key: Uint8Array): boolean {
  return ring.some((each) => Buffer.compare(each, key) === 0);
}

function nameOf(key: Uint8Array): Uint8Array {
  return key.subarray(0, PART_BYTES);
}
