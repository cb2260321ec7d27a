/**
 * Checks the lists of ciphers and groups. OpenSSL ignores a name that it does not know beside one that it knows, so a
 * mistake would change the protection without a word. The fault says which name was meant.
 *
 * OpenSSL is asked one question only: does a list select any cipher of TLS 1.2? Whether something is left for a key is
 * the same question, with all that the key cannot use excluded at the end of the list.
 */
import { createSecureContext, getCiphers } from "node:tls";
import { nearestName } from "../base/nearest-name.ts";

export interface CipherLists {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** For TLS 1.2; undefined for our default, which is not checked. */
  readonly ciphers: string | undefined;
  /** For TLS 1.3; undefined for our default. */
  readonly suites: string | undefined;
  /** Undefined for OpenSSL's default. */
  readonly curves: string | undefined;
}

/** What they are called in the settings. */
export interface CipherOptions {
  readonly ciphers: string;
  readonly suites: string;
  readonly curves: string;
}

/** The certificates that a server shows for the same names: one of their keys must do. */
export interface ServingKeys {
  /** For messages. */
  readonly file: string;
  /** Such as `rsa` or `ec`. */
  readonly keyTypes: readonly string[];
  /** Without DH parameters there are no DHE ciphers. */
  readonly hasDhParameters: boolean;
}

const SUITES = namesOf(true);
const CIPHERS = namesOf(false);

function namesOf(isSuite: boolean): readonly string[] {
  return getCiphers()
    .filter((name) => name.startsWith("tls_") === isSuite)
    .map((name) => name.toUpperCase());
}

/** @returns the first fault in a sentence that names its option; undefined when there is none */
export function findNameFault(lists: CipherLists, options: CipherOptions): string | undefined {
  const { ciphers, suites, curves } = lists;
  for (const name of suites?.split(":") ?? []) {
    const fault = faultOfSuite(name, options);
    if (fault !== undefined) return `${options.suites}: ${fault}`;
  }
  for (const word of ciphers?.split(/[:,]/) ?? []) {
    const fault = faultOfWord(word, options);
    if (fault !== undefined) return `${options.ciphers}: ${fault}`;
  }
  const curve = curves?.split(":").find((name) => !knowsCurve(name));
  return curve === undefined ? undefined : `${options.curves}: OpenSSL knows no group ${curve}`;
}

/**
 * Whether a key can be used, and TLS 1.2, where it is on, has a cipher for it.
 * @param keys  undefined for the client side of a handshake, which needs no key
 * @returns a sentence that names the option; undefined when there is one
 */
export function findGap(lists: CipherLists, keys: ServingKeys | undefined, options: CipherOptions): string | undefined {
  const { ciphers, minVersion } = lists;
  if (keys?.keyTypes.some((type) => UNUSABLE.has(type)) === false) {
    return `${keys.file}: no cipher can use its key, of type ${keys.keyTypes.join(" and ")}: expected rsa, ec or ed25519`;
  }
  if (ciphers === undefined || minVersion === "TLSv1.3") return undefined;
  const way = "or tls-min-version = 1.3";
  if (!selects(`${ciphers}${WITHOUT_KEY}`)) {
    return `${options.ciphers} leaves TLS 1.2 without a cipher: expected one, ${way}`;
  }
  if (keys === undefined) return undefined;
  const { file, keyTypes, hasDhParameters } = keys;
  const usable = keyTypes.map((type) => `${ciphers}${WITHOUT_KEY}${UNUSABLE.get(type) ?? ":!ALL"}`);
  if (usable.some((list) => selects(hasDhParameters ? list : `${list}:!kDHE`))) return undefined;
  const all = `${options.ciphers} leaves TLS 1.2 without a cipher for ${file}`;
  if (usable.some(selects))
    return `${all}: DHE ciphers need DH parameters in that file; expected an ECDHE cipher, ${way}`;
  return `${all}, whose key is of type ${keyTypes.join(" and ")}: expected ${expectedFor(keyTypes)}, ${way}`;
}

/** No certificate proves the server with these: we have neither shared keys nor passwords. */
const WITHOUT_KEY = ":!aNULL:!PSK:!SRP";

/** What a key of that type cannot be used with. EdDSA keys are used with the ECDSA ciphers (RFC 8422 §5.10). */
const UNUSABLE: ReadonlyMap<string, string> = new Map([
  ["rsa", ":!aECDSA"],
  ["rsa-pss", ":!aECDSA:!kRSA"],
  ["ec", ":!aRSA"],
  ["ed25519", ":!aRSA"],
  ["ed448", ":!aRSA"],
]);

function expectedFor(keyTypes: readonly string[]): string {
  return keyTypes.some((type) => type.startsWith("rsa")) ? "an ECDHE-RSA cipher" : "an ECDHE-ECDSA cipher";
}

function faultOfSuite(name: string, options: CipherOptions): string | undefined {
  if (SUITES.includes(name)) return undefined;
  const cipher = selects(name) ? name : convertName(name);
  if (cipher === name) return `${name} is a cipher of TLS 1.2: expected it in ${options.ciphers}`;
  if (cipher !== undefined) return `${name} is a cipher of TLS 1.2: expected ${cipher} in ${options.ciphers}`;
  return unknown(name, SUITES);
}

/** @param word  of OpenSSL's cipher lists (ciphers(1)): a name or a group, groups joined with +, perhaps behind an operator */
function faultOfWord(word: string, options: CipherOptions): string | undefined {
  const [, operator = "", body = ""] = /^([!+-]?)(.*)$/.exec(word) ?? [];
  if (body.startsWith("@")) return COMMAND.test(word) ? undefined : `OpenSSL knows no ${word}`;
  for (const name of body.split("+")) {
    if (selects(name) || (operator !== "" && isRetired(name))) continue;
    const suite = SUITES.find((each) => each === name.toUpperCase());
    if (suite !== undefined)
      return `${name} is a suite of TLS 1.3: expected ${suite === name ? "it" : suite} in ${options.suites}`;
    const cipher = convertName(name);
    if (cipher !== undefined) return `${name} is the name of IANA: expected ${operator}${cipher}, as OpenSSL calls it`;
    return isRetired(name) ? `this OpenSSL has no ${name} any more` : unknown(name, [...CIPHERS, ...GROUPS]);
  }
  return undefined;
}

/** The only words of that kind. */
const COMMAND = /^@(?:STRENGTH|SECLEVEL=[0-5])$/;

/** Words for groups that are often written (ciphers(1)), for hints. */
const GROUPS = [
  ...["ALL", "DEFAULT", "HIGH", "MEDIUM", "aNULL", "eNULL", "PSK", "SRP", "SHA1", "SHA256", "SHA384", "MD5"],
  ...["ECDHE", "EECDH", "kECDHE", "kEECDH", "DHE", "EDH", "kDHE", "kEDH", "kRSA", "aRSA", "RSA", "aECDSA", "ECDSA"],
  ...["ADH", "AECDH", "AES", "AES128", "AES256", "AESGCM", "AESCCM", "CHACHA20", "CAMELLIA", "ARIA", "3DES", "RC4"],
];

/**
 * What OpenSSL once had, as a word or as a part of a name. Lists of old guides exclude it (`!RC4`), which is right.
 */
const RETIRED = new Set([
  ...["RC2", "RC4", "IDEA", "SEED", "DES", "3DES", "CBC3", "MD5", "LOW", "MEDIUM", "EXP", "EXPORT", "EXPORT40"],
  ...[
    "EXPORT56",
    "SSLv2",
    "SSLv3",
    "TLSv1",
    "KRB5",
    "kKRB5",
    "aKRB5",
    "DSS",
    "aDSS",
    "kDH",
    "aDH",
    "DH",
    "kDHr",
    "kDHd",
  ],
  ...["kECDH", "aECDH", "kECDHr", "kECDHe", "ECDH", "CAMELLIA", "ARIA", "NULL", "eNULL", "SRP", "PSK", "FZA"],
  ...["aGOST", "aGOST01", "kGOST", "GOST94", "GOST89MAC", "GOST", "FIPS", "MDC2"],
]);

function isRetired(name: string): boolean {
  return name.split("-").some((part) => RETIRED.has(part));
}

function unknown(name: string, known: readonly string[]): string {
  const meant = nearestName(name, known);
  return `OpenSSL knows no ${name}${meant === undefined ? "" : ` (did you mean ${meant}?)`}`;
}

/** Whether OpenSSL finds a cipher of TLS 1.2 for the list. */
function selects(list: string): boolean {
  // Node would take such a name for a suite of TLS 1.3.
  if (list.startsWith("TLS_")) return false;
  return isAccepted({ ciphers: list, maxVersion: "TLSv1.2" });
}

function knowsCurve(name: string): boolean {
  return isAccepted({ ecdhCurve: name });
}

function isAccepted(options: { ciphers?: string; maxVersion?: "TLSv1.2"; ecdhCurve?: string }): boolean {
  try {
    // With `ca`, Node does not read its own list of authorities, which takes longer than all else.
    createSecureContext({ ...options, ca: [] });
    return true;
  } catch {
    return false;
  }
}

/** OpenSSL's name of a cipher with IANA's, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256. @returns undefined if it has none */
export function convertName(name: string): string | undefined {
  const [, exchange, cipher] = /^TLS_(\w+)_WITH_(\w+)$/i.exec(name) ?? [];
  if (exchange === undefined || cipher === undefined) return undefined;
  const before = EXCHANGES.get(exchange.toUpperCase()) ?? `${exchange.toUpperCase()}-`;
  const isShared = exchange.toUpperCase().endsWith("PSK");
  const after = cipher
    .toUpperCase()
    .replace("3DES_EDE_CBC", "DES_CBC3")
    .replace(/^(AES|CAMELLIA|ARIA)_/, "$1")
    .replace(/_CCM_8$/, "_CCM8")
    .replace("POLY1305_SHA256", "POLY1305")
    .replace(/_CBC_/, isShared ? "_CBC_" : "_");
  const converted = `${before}${after}`.replaceAll("_", "-");
  return selects(converted) ? converted : undefined;
}

const EXCHANGES: ReadonlyMap<string, string> = new Map([
  ["RSA", ""],
  ["DH_ANON", "ADH-"],
  ["ECDH_ANON", "AECDH-"],
]);
