/** Reads an identity or authorities from PEM files, or says in one sentence what is wrong with them. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { attempt } from "../base/errors.ts";
import { checkStaple } from "./ocsp.ts";
import { type PemBlock, type PemFile, readPem } from "./pem.ts";
import type { TlsIdentity } from "./tls-identity.ts";

export interface IdentityFiles {
  /** Certificate and chain, and the key unless it has its own file. */
  readonly certificate: PemFile;
  readonly key: PemFile | undefined;
  /** An OCSP response, DER. */
  readonly ocsp: StapleFile | undefined;
}

export interface StapleFile {
  /** For messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export type IdentityResult =
  /** `warnings`: it works, but not for long, not yet, or without its OCSP response. */
  { readonly kind: "identity"; readonly identity: TlsIdentity; readonly warnings: readonly string[] } | Fault;

const DAY_MS = 24 * 3600 * 1000;
/** The operator is warned when fewer days are left. */
const WARN_DAYS = 7;

/** @param now  milliseconds since 1970 */
export function readIdentity({ certificate, key: keyFile, ocsp }: IdentityFiles, now: number): IdentityResult {
  const parts = readParts(certificate);
  if (parts.kind === "fault") return parts;
  const chain = parseCertificates(certificate, parts.certificates);
  if (chain.kind === "fault") return chain;
  const [leaf] = chain.certificates;
  if (leaf === undefined) return fault(`${certificate.name}: no certificate found (-----BEGIN CERTIFICATE-----)`);
  const keyParts = keyFile === undefined ? parts : readParts(keyFile);
  if (keyParts.kind === "fault") return keyParts;
  const key = readKey(keyFile ?? certificate, keyParts.keys);
  if (key.kind === "fault") return key;
  if (!leaf.checkPrivateKey(key.key)) {
    return fault(`${(keyFile ?? certificate).name}: the key does not belong to the certificate`);
  }
  const staple = ocsp && checkStaple(ocsp.bytes, chain.certificates, now);
  const identity: TlsIdentity = {
    file: certificate.name,
    certificates: chain.certificates.map(String).join(""),
    key: key.text,
    keyType: key.key.asymmetricKeyType ?? "unknown",
    dhParameters: parts.dhParameters[0]?.text,
    staple: ocsp && staple?.kind === "good" ? { bytes: ocsp.bytes, until: staple.until } : undefined,
    ...namesOf(leaf),
  };
  const validity = describeValidity(certificate.name, leaf, now);
  const unusable =
    staple?.kind === "unusable" ? `${ocsp?.name}: ${staple.why}: no OCSP response is stapled` : undefined;
  return { kind: "identity", identity, warnings: [validity, unusable].filter((text) => text !== undefined) };
}

export type AuthoritiesResult = { readonly kind: "authorities"; readonly pem: string } | Fault;

/** @param option  that names the file, for messages */
export function readAuthorities(file: PemFile, option: string): AuthoritiesResult {
  const parts = readParts(file);
  if (parts.kind === "fault") return parts;
  const parsed = parseCertificates(file, parts.certificates);
  if (parsed.kind === "fault") return parsed;
  if (parsed.certificates.length === 0) return fault(`${file.name}: no certificate found: expected those of ${option}`);
  const pem = parsed.certificates.map((certificate, index) => {
    const block = parts.certificates[index];
    // Its text says what the certificate is trusted for.
    return block?.label === "TRUSTED CERTIFICATE" ? block.text : String(certificate);
  });
  return { kind: "authorities", pem: pem.join("") };
}

interface Fault {
  readonly kind: "fault";
  readonly fault: string;
}

function fault(text: string): Fault {
  return { kind: "fault", fault: text };
}

interface Parts {
  readonly kind: "parts";
  readonly certificates: readonly PemBlock[];
  readonly keys: readonly PemBlock[];
  readonly dhParameters: readonly PemBlock[];
}

/** Blocks of other kinds are checked and left out. */
function readParts(file: PemFile): Parts | Fault {
  const reading = readPem(file);
  if (reading.kind === "fault") return reading;
  const those = (label: RegExp): readonly PemBlock[] => reading.blocks.filter((block) => label.test(block.label));
  return {
    kind: "parts",
    certificates: those(/^(?:X509 |TRUSTED )?CERTIFICATE$/),
    keys: those(/^(?:.* )?PRIVATE KEY$/),
    dhParameters: those(/^DH PARAMETERS$/),
  };
}

function parseCertificates(
  { name }: PemFile,
  blocks: readonly PemBlock[],
): { readonly kind: "certificates"; readonly certificates: readonly X509Certificate[] } | Fault {
  const certificates: X509Certificate[] = [];
  for (const { text, line } of blocks) {
    const certificate = attempt(() => new X509Certificate(text));
    if (certificate === undefined) return fault(`${name}:${line}: the certificate cannot be read`);
    certificates.push(certificate);
  }
  return { kind: "certificates", certificates };
}

function readKey(
  { name }: PemFile,
  [block, second]: readonly PemBlock[],
): { readonly kind: "key"; readonly key: KeyObject; readonly text: string } | Fault {
  if (block === undefined) {
    return fault(`${name}: no private key found (-----BEGIN PRIVATE KEY-----); name a separate key file with tls-key`);
  }
  if (second !== undefined) return fault(`${name}: several private keys found: expected one`);
  const { text, line, label } = block;
  if (block.isEncrypted || label.startsWith("ENCRYPTED")) {
    return fault(`${name}:${line}: the key is encrypted: expected one without a passphrase`);
  }
  const key = attempt(() => createPrivateKey(text));
  return key === undefined ? fault(`${name}:${line}: the key cannot be read`) : { kind: "key", key, text };
}

type Names = Pick<TlsIdentity, "names" | "allNames">;

/** Its alternative names; without any, the common name, as before RFC 6125. */
export function namesOf({ subject, subjectAltName }: Pick<X509Certificate, "subject" | "subjectAltName">): Names {
  if (subjectAltName === undefined) {
    const [allName, commonName] = /^CN=(.+)$/m.exec(subject) ?? [];
    return allName === undefined || commonName === undefined
      ? { names: [], allNames: [] }
      : { names: [commonName.toLowerCase()], allNames: [allName] };
  }
  const allNames = Array.from(subjectAltName.matchAll(ALTERNATIVE_NAME), ([name]) => name.trim());
  const names = allNames.filter((name) => name.startsWith(DNS)).map((name) => name.slice(DNS.length).toLowerCase());
  return { names, allNames };
}

const DNS = "DNS:";
/** Node puts a value with a comma or a quote between quotes, as in JSON. */
const ALTERNATIVE_NAME = /(?:"(?:[^"\\]|\\.)*"|[^",])+/g;

function describeValidity(name: string, { validFrom, validTo }: X509Certificate, now: number): string | undefined {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (now < from) return `${name}: the certificate is not valid before ${validFrom}: clients reject it`;
  if (now > to) return `${name}: the certificate expired on ${validTo}: clients reject it`;
  const days = Math.floor((to - now) / DAY_MS);
  return days < WARN_DAYS ? `${name}: the certificate expires on ${validTo}, in ${days} days` : undefined;
}
