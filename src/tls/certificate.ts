/** Reads an identity from the text of PEM files, or says in one sentence what is wrong with it. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { splitPem } from "./pem.ts";
import type { TlsIdentity } from "./tls-identity.ts";

export interface PemFile {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

export interface IdentityFiles {
  /** Certificate and chain, and the key unless it has its own file. */
  readonly certificate: PemFile;
  readonly key: PemFile | undefined;
  readonly ocsp: Uint8Array | undefined;
}

export type IdentityResult =
  /** `warning`: it works, but not for long, or not yet. */
  | { readonly kind: "identity"; readonly identity: TlsIdentity; readonly warning: string | undefined }
  | { readonly kind: "fault"; readonly fault: string };

const DAY_MS = 24 * 3600 * 1000;
/** The operator is warned when fewer days are left. */
const WARN_DAYS = 7;

/** @param now  milliseconds since 1970 */
export function readIdentity({ certificate, key: keyFile, ocsp }: IdentityFiles, now: number): IdentityResult {
  const { certificates, keys, dhParameters } = splitPem(certificate.text);
  const fault = (text: string): IdentityResult => ({ kind: "fault", fault: text });
  const [own] = certificates;
  if (own === undefined) return fault(`${certificate.name}: no certificate found (-----BEGIN CERTIFICATE-----)`);
  const inFile = keyFile ?? certificate;
  const [keyText, secondKey] = keyFile === undefined ? keys : splitPem(keyFile.text).keys;
  if (keyText === undefined) {
    return fault(
      `${inFile.name}: no private key found (-----BEGIN PRIVATE KEY-----); name a separate key file with tls-key`,
    );
  }
  if (secondKey !== undefined) return fault(`${inFile.name}: several private keys found: expected one`);

  const leaf = parseCertificate(own);
  if (leaf === undefined) return fault(`${certificate.name}: its first certificate cannot be read`);
  const key = parseKey(keyText);
  if (typeof key === "string") return fault(`${inFile.name}: ${key}`);
  if (!leaf.checkPrivateKey(key)) return fault(`${inFile.name}: the key does not belong to the certificate`);
  const names = namesOf(leaf);
  const identity: TlsIdentity = {
    file: certificate.name,
    certificates: certificates.join(""),
    key: keyText,
    keyType: key.asymmetricKeyType ?? "unknown",
    dhParameters: dhParameters[0],
    ocsp,
    names,
  };
  return { kind: "identity", identity, warning: describeValidity(certificate.name, leaf, now) };
}

function parseCertificate(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(text);
  } catch {
    return undefined;
  }
}

/** @returns the key, or what is wrong with it */
function parseKey(text: string): KeyObject | string {
  if (/ENCRYPTED/.test(text)) return "the key is encrypted: expected one without a passphrase";
  try {
    return createPrivateKey(text);
  } catch {
    return "the key cannot be read";
  }
}

/** Its DNS names; without any alternative name, the common name, as before RFC 6125. */
function namesOf(leaf: X509Certificate): readonly string[] {
  const alternatives = (leaf.subjectAltName ?? "").split(", ");
  const names = alternatives.flatMap((each) => (each.startsWith("DNS:") ? [each.slice("DNS:".length)] : []));
  const [, commonName = ""] = /^CN=(.*)$/m.exec(leaf.subject) ?? [];
  const all = leaf.subjectAltName === undefined && commonName !== "" ? [commonName] : names;
  return all.map((name) => name.toLowerCase());
}

function describeValidity(name: string, { validFrom, validTo }: X509Certificate, now: number): string | undefined {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (now < from) return `${name}: the certificate is not valid before ${validFrom}: clients reject it`;
  if (now > to) return `${name}: the certificate expired on ${validTo}: clients reject it`;
  const days = Math.floor((to - now) / DAY_MS);
  return days < WARN_DAYS ? `${name}: the certificate expires on ${validTo}, in ${days} days` : undefined;
}
