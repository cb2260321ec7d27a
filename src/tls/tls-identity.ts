/** What a side of TLS proves itself with: plain values, because one process reads them and others use them. */
import type { TicketRing } from "./ticket-ring.ts";

export interface TlsIdentity {
  /** The file it was read from, for messages. */
  readonly file: string;
  /** PEM: its own certificate first, then those up to the root, as far as they are sent. */
  readonly certificates: string;
  /** PEM. */
  readonly key: string;
  /** Such as `rsa` or `ec`. */
  readonly keyType: string;
  /** PEM; undefined where there are none, and then without DHE ciphers. */
  readonly dhParameters: string | undefined;
  readonly staple: Staple | undefined;
  /** Its DNS names in lower case; the `*` of `*.example.org` stands for one label. */
  readonly names: readonly string[];
  /** Its names of every kind, each with its kind: `DNS:a.example`, `IP Address:192.0.2.1`. */
  readonly allNames: readonly string[];
}

/** An OCSP response that goes with a certificate (RFC 6066 §8). */
interface Staple {
  /** DER. */
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970: from then on clients reject it. Undefined where it names no end. */
  readonly until: number | undefined;
}

export interface TlsMaterial {
  /** At least one. */
  readonly identities: readonly TlsIdentity[];
  /** One of them, for clients without SNI and for unknown names. */
  readonly fallback: TlsIdentity;
  readonly ticketKeys: TicketRing;
  /** PEM: the CAs for client certificates; undefined where clients need none. */
  readonly clientAuthorities: string | undefined;
}

/**
 * Identities for exactly the same names with keys of other types: OpenSSL shows each client the one that it can verify.
 * SNI cannot select an identity without a DNS name (RFC 6066 §3), so such an identity has no companions.
 * @returns `identity` first, and one for each type of key
 */
export function companionsOf(identity: TlsIdentity, all: readonly TlsIdentity[]): readonly TlsIdentity[] {
  const companions = [identity];
  if (identity.names.length === 0) return companions;
  const names = formatNames(identity);
  for (const other of all) {
    const isNew = companions.every(({ keyType }) => keyType !== other.keyType);
    if (isNew && formatNames(other) === names) companions.push(other);
  }
  return companions;
}

/** Equal for the same names in any order and case. */
function formatNames({ allNames }: TlsIdentity): string {
  return [...new Set(allNames.map((name) => name.toLowerCase()))].sort().join("\n");
}

/**
 * The identity for a server name (RFC 6066 §3, RFC 6125 §6.4): the exact name first, then a wildcard for its first
 * label. Of several the first counts.
 * @param name  as the client sent it
 * @returns its index in the list, or -1
 */
export function findByName(identities: readonly Pick<TlsIdentity, "names">[], name: string): number {
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const exact = identities.findIndex(({ names }) => names.includes(wanted));
  if (exact !== -1) return exact;
  const dot = wanted.indexOf(".");
  if (dot <= 0) return -1;
  const wildcard = `*${wanted.slice(dot)}`;
  return identities.findIndex(({ names }) => names.includes(wildcard));
}

export interface ClientMaterial {
  /** Shown to a backend that requests it. */
  readonly identity: TlsIdentity | undefined;
  /** PEM: the CAs for the backend's certificate; undefined where it is not verified. */
  readonly authorities: string | undefined;
}

export type SideMaterial =
  | { readonly side: "server"; readonly material: TlsMaterial }
  | { readonly side: "client"; readonly material: ClientMaterial };

/** The key is the user's name from `formatPurpose`. */
export type TlsMaterials = ReadonlyMap<string, SideMaterial>;
