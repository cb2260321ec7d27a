/** What a client can use of a certificate: read from its ClientHello (RFC 8446 §4.2), which was found well formed before. */
import { Cursor } from "./client-hello.ts";

/** Numbers of IANA's registries of TLS. A list that the client does not send is empty. */
export interface ClientOffer {
  readonly versions: readonly number[];
  readonly ciphers: readonly number[];
  readonly schemes: readonly number[];
  readonly groups: readonly number[];
  /** It has other rules for the signatures in the chain. */
  readonly limitsChain: boolean;
}

const RECORD_HEAD = 5;
/** Type and length of the message, then legacy_version and random. */
const BEFORE_VECTORS = 4 + 2 + 32;
const EXTENSION = { GROUPS: 10, SCHEMES: 13, VERSIONS: 43, CHAIN_SCHEMES: 50 } as const;

/** @param records  all records of one ClientHello */
export function readOffer(records: Uint8Array): ClientOffer {
  const hello = new Cursor(contentOf(records));
  hello.skip(BEFORE_VECTORS);
  hello.takeVector(1); // legacy_session_id
  const ciphers = numbersIn(hello.takeVector(2));
  hello.takeVector(1); // legacy_compression_methods
  const extensions = hello.takeVector(2);
  const found = new Map<number, Cursor>();
  while (!extensions.isAtEnd && !extensions.isBroken) found.set(extensions.takeNumber(2), extensions.takeVector(2));
  return {
    versions: numbersIn(found.get(EXTENSION.VERSIONS)?.takeVector(1)),
    ciphers,
    schemes: numbersIn(found.get(EXTENSION.SCHEMES)?.takeVector(2)),
    groups: numbersIn(found.get(EXTENSION.GROUPS)?.takeVector(2)),
    limitsChain: found.has(EXTENSION.CHAIN_SCHEMES),
  };
}

function contentOf(records: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at + RECORD_HEAD < records.length; ) {
    const end = at + RECORD_HEAD + Number(records[at + 3]) * 256 + Number(records[at + 4]);
    parts.push(records.subarray(at + RECORD_HEAD, end));
    at = end;
  }
  return Buffer.concat(parts);
}

function numbersIn(list: Cursor | undefined): readonly number[] {
  const numbers: number[] = [];
  while (list !== undefined && !list.isAtEnd && !list.isBroken) numbers.push(list.takeNumber(2));
  return numbers;
}
