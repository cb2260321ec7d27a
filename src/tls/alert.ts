/** TLS alerts (RFC 8446 §6), for the few that OpenSSL cannot send for us. */

/** AlertDescription, by the names of the RFC. */
const DESCRIPTIONS = {
  unexpected_message: 10,
  record_overflow: 22,
  illegal_parameter: 47,
  decode_error: 50,
  unrecognized_name: 112,
} as const;

export type AlertName = keyof typeof DESCRIPTIONS;

const ALERT = 21;
const FATAL = 2;

/** A fatal alert in its own record, before any key is in use. */
export function plainAlert(name: AlertName): Uint8Array {
  return Uint8Array.of(ALERT, 3, 3, 0, 2, FATAL, DESCRIPTIONS[name]);
}
