import assert from "node:assert/strict";
import { test } from "node:test";
import { type CipherLists, convertName, findGap, findNameFault, type ServingKeys } from "../../src/tls/cipher-lists.ts";

const OPTIONS = { ciphers: "tls-ciphers", suites: "tls-suites", curves: "tls-curves" };
const lists = (some: Partial<CipherLists>): CipherLists => ({
  minVersion: "TLSv1.2",
  ciphers: undefined,
  suites: undefined,
  curves: undefined,
  ...some,
});

const names: [name: string, lists: Partial<CipherLists>, want: string | undefined][] = [
  ["our defaults", {}, undefined],
  ["ciphers", { ciphers: "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384" }, undefined],
  ["a cipher that no default has", { ciphers: "ECDHE-ECDSA-AES128-CCM" }, undefined],
  ["groups and operators", { ciphers: "ECDHE+AESGCM:!aNULL:-SHA1:+kRSA,HIGH:@STRENGTH:@SECLEVEL=1" }, undefined],
  ["exclusions of old guides", { ciphers: "HIGH:!RC4:!SEED:!EXPORT:!SSLv2:!kKRB5:!DHE-RSA-DES-CBC3-SHA" }, undefined],
  ["suites", { suites: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256" }, undefined],
  ["groups of the key exchange", { curves: "X25519:P-256:secp384r1" }, undefined],
  [
    "a suite in the ciphers",
    { ciphers: "ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256" },
    "tls-ciphers: TLS_AES_128_GCM_SHA256 is a suite of TLS 1.3: expected it in tls-suites",
  ],
  [
    "a suite in the ciphers, in small letters",
    { ciphers: "HIGH:tls_aes_128_gcm_sha256" },
    "tls-ciphers: tls_aes_128_gcm_sha256 is a suite of TLS 1.3: expected TLS_AES_128_GCM_SHA256 in tls-suites",
  ],
  [
    "a cipher in the suites",
    { suites: "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256" },
    "tls-suites: ECDHE-RSA-AES128-GCM-SHA256 is a cipher of TLS 1.2: expected it in tls-ciphers",
  ],
  ["a group in the suites", { suites: "HIGH" }, "tls-suites: HIGH is a cipher of TLS 1.2: expected it in tls-ciphers"],
  [
    "IANA's name in the ciphers",
    { ciphers: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
    "tls-ciphers: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is the name of IANA: expected ECDHE-RSA-AES128-GCM-SHA256, as OpenSSL calls it",
  ],
  [
    "IANA's name that is excluded",
    { ciphers: "HIGH:!TLS_RSA_WITH_AES_128_CBC_SHA" },
    "tls-ciphers: TLS_RSA_WITH_AES_128_CBC_SHA is the name of IANA: expected !AES128-SHA, as OpenSSL calls it",
  ],
  [
    "IANA's name of a cipher in the suites",
    { suites: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
    "tls-suites: TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 is a cipher of TLS 1.2: expected ECDHE-ECDSA-CHACHA20-POLY1305 in tls-ciphers",
  ],
  [
    "a slip in a cipher",
    { ciphers: "ECDHE-RSA-AES128-GCM-SHA265" },
    "tls-ciphers: OpenSSL knows no ECDHE-RSA-AES128-GCM-SHA265 (did you mean ECDHE-RSA-AES128-GCM-SHA256?)",
  ],
  ["a slip in what is excluded", { ciphers: "HIGH:!aNUL" }, "tls-ciphers: OpenSSL knows no aNUL (did you mean aNULL?)"],
  [
    "a slip in a joined group",
    { ciphers: "HIGH:ECDHE+AESCGM" },
    "tls-ciphers: OpenSSL knows no AESCGM (did you mean AESGCM?)",
  ],
  [
    "a suite in small letters",
    { suites: "tls_aes_256_gcm_sha384" },
    "tls-suites: OpenSSL knows no tls_aes_256_gcm_sha384 (did you mean TLS_AES_256_GCM_SHA384?)",
  ],
  ["an unknown name", { ciphers: "HIGH:NO-SUCH-CIPHER" }, "tls-ciphers: OpenSSL knows no NO-SUCH-CIPHER"],
  ["what OpenSSL had once", { ciphers: "HIGH:RC4" }, "tls-ciphers: this OpenSSL has no RC4 any more"],
  ["an unknown command", { ciphers: "HIGH:@SECLEVEL=9" }, "tls-ciphers: OpenSSL knows no @SECLEVEL=9"],
  ["a group of the key exchange", { curves: "X25519:P-255" }, "tls-curves: OpenSSL knows no group P-255"],
];
for (const [name, some, want] of names) {
  test(`findNameFault: ${name}`, () => assert.equal(findNameFault(lists(some), OPTIONS), want));
}

const keysOf = (keyTypes: string[], hasDhParameters = false): ServingKeys => ({
  file: "a.pem",
  keyTypes,
  hasDhParameters,
});
const RSA = "ECDHE-RSA-AES128-GCM-SHA256";
const EC = "ECDHE-ECDSA-AES128-GCM-SHA256";
const DHE = "DHE-RSA-AES128-GCM-SHA256";
const LEAVES = "tls-ciphers leaves TLS 1.2 without a cipher";
const OR = ", or tls-min-version = 1.3";

const gaps: [name: string, some: Partial<CipherLists>, keys: ServingKeys | undefined, want: string | undefined][] = [
  ["our default", {}, keysOf(["ed25519"]), undefined],
  [
    "a key that no version of TLS can use",
    { minVersion: "TLSv1.3" },
    keysOf(["dsa"]),
    "a.pem: no cipher can use its key, of type dsa: expected rsa, ec or ed25519",
  ],
  ["RSA", { ciphers: RSA }, keysOf(["rsa"]), undefined],
  ["RSA without a key exchange of its own", { ciphers: "AES128-SHA" }, keysOf(["rsa"]), undefined],
  ["RSA-PSS", { ciphers: RSA }, keysOf(["rsa-pss"]), undefined],
  ["EC", { ciphers: EC }, keysOf(["ec"]), undefined],
  ["Ed25519", { ciphers: EC }, keysOf(["ed25519"]), undefined],
  ["a group", { ciphers: "ECDHE+AESGCM" }, keysOf(["ec"]), undefined],
  ["one of two keys", { ciphers: RSA }, keysOf(["ec", "rsa"]), undefined],
  ["DHE with parameters", { ciphers: DHE }, keysOf(["rsa"], true), undefined],
  ["TLS 1.2 is off", { ciphers: RSA, minVersion: "TLSv1.3" }, keysOf(["ec"]), undefined],
  ["a client", { ciphers: RSA }, undefined, undefined],
  [
    "RSA ciphers for an EC key",
    { ciphers: RSA },
    keysOf(["ec"]),
    `${LEAVES} for a.pem, whose key is of type ec: expected an ECDHE-ECDSA cipher${OR}`,
  ],
  [
    "EC ciphers for an RSA key",
    { ciphers: EC },
    keysOf(["rsa"]),
    `${LEAVES} for a.pem, whose key is of type rsa: expected an ECDHE-RSA cipher${OR}`,
  ],
  [
    "the key exchange of RSA for RSA-PSS",
    { ciphers: "AES128-SHA" },
    keysOf(["rsa-pss"]),
    `${LEAVES} for a.pem, whose key is of type rsa-pss: expected an ECDHE-RSA cipher${OR}`,
  ],
  [
    "DHE without parameters",
    { ciphers: DHE },
    keysOf(["rsa"]),
    `${LEAVES} for a.pem: DHE ciphers need DH parameters in that file; expected an ECDHE cipher${OR}`,
  ],
  ["all excluded", { ciphers: "HIGH:!ALL" }, keysOf(["rsa"]), `${LEAVES}: expected one${OR}`],
  ["ciphers without a certificate", { ciphers: "aNULL:PSK" }, keysOf(["rsa"]), `${LEAVES}: expected one${OR}`],
  ["the same for a client", { ciphers: "PSK-AES128-GCM-SHA256" }, undefined, `${LEAVES}: expected one${OR}`],
];
for (const [name, some, keys, want] of gaps) {
  test(`findGap: ${name}`, () => assert.equal(findGap(lists(some), keys, OPTIONS), want));
}

// As `openssl ciphers -stdname` pairs them.
const conversions: [iana: string, openssl: string | undefined][] = [
  ["TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"],
  ["TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256"],
  ["TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256", "CAMELLIA128-SHA256"],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384"],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", "ECDHE-ECDSA-AES128-CCM8"],
  ["TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305"],
  ["TLS_DH_anon_WITH_AES_128_GCM_SHA256", "ADH-AES128-GCM-SHA256"],
  ["TLS_PSK_WITH_AES_128_CBC_SHA256", "PSK-AES128-CBC-SHA256"],
  ["TLS_ECDHE_RSA_WITH_RC4_128_SHA", undefined],
  ["TLS_AES_128_GCM_SHA256", undefined],
  ["ECDHE-RSA-AES128-GCM-SHA256", undefined],
];
for (const [iana, openssl] of conversions) {
  test(`convertName: ${iana}`, () => assert.equal(convertName(iana), openssl));
}
