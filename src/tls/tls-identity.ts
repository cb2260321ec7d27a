/**
 * What a side of TLS proves itself with: plain values, because they are read by one process and used by others.
 */

export interface TlsIdentity {
  /** Where it was read: for messages. */
  readonly file: string;
  /** PEM: its own certificate first, then those up to the root, as far as they are sent. */
  readonly certificates: string;
  /** PEM. */
  readonly key: string;
  /** Such as `rsa` or `ec`. */
  readonly keyType: string;
  /** PEM; undefined where there are none, and so no ephemeral Diffie-Hellman without curves. */
  readonly dhParameters: string | undefined;
  /** A stapled response (RFC 6066 §8), DER. */
  readonly ocsp: Uint8Array | undefined;
  /** The DNS names it is for, in lower case; `*.example.org` stands for one more label. */
  readonly names: readonly string[];
}

export interface TlsMaterial {
  /** At least one. */
  readonly identities: readonly TlsIdentity[];
  /** Of them, for clients that name no server, and for names that none is for. */
  readonly fallback: TlsIdentity;
  /** 48 bytes: who has them can resume a session, and read what was sent in it (RFC 5077). */
  readonly ticketKeys: Uint8Array;
  /** PEM: who may sign the certificates of clients; undefined where clients need none. */
  readonly clientAuthorities: string | undefined;
}

/**
 * Those that are for the same names with a key of another type: OpenSSL shows each client the one it can check.
 *
 * @returns at least `identity` itself, and of each type of key one
 */
export function companionsOf(identity: TlsIdentity, all: readonly TlsIdentity[]): readonly TlsIdentity[] {
  const names = [...identity.names].sort().join();
  const companions = [identity];
  for (const other of all) {
    const isNew = companions.every(({ keyType }) => keyType !== other.keyType);
    if (isNew && [...other.names].sort().join() === names) companions.push(other);
  }
  return companions;
}

/**
 * Which identity is for a server name (RFC 6066 §3, RFC 6125 §6.4): the one that names it, else the one whose wildcard
 * stands for its first label. Of several the first counts.
 *
 * @param name  as the client sent it
 * @returns its place in the list, or -1
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

/** What a client of TLS has. */
export interface ClientMaterial {
  /** Shown to a backend that asks for it. */
  readonly identity: TlsIdentity | undefined;
  /** PEM: who may sign the backend's certificate; undefined where nobody looks. */
  readonly authorities: string | undefined;
}

/** What one side of a handshake has. */
export type SideMaterial =
  | { readonly side: "server"; readonly material: TlsMaterial }
  | { readonly side: "client"; readonly material: ClientMaterial };

/** By what `formatPurpose` calls whoever uses it. */
export type TlsMaterials = ReadonlyMap<string, SideMaterial>;
