#!/usr/bin/env node
/**
 * Makes the certificates and keys for everything that tries TLS: tests, trials, benchmarks.
 *
 *     node scripts/make-test-keys.js [FOLDER]      test/keys unless another is named
 *
 * It calls the program `openssl`, 3.0 or later. All is made anew, and the files of two runs do not fit each other, so
 * the folder is touched only when all could be made. The keys of the authorities are thrown away.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HUNDRED_YEARS = { from: "20200101000000Z", until: "21200101000000Z" };
const HERE = "DNS:localhost, DNS:a.test, IP:127.0.0.1, IP:::1";

/** Certificates for servers: the name of the file, which is the subject too, and what is special about it. */
const SERVERS = [
  { name: "rsa", key: "rsa", hosts: HERE, ...HUNDRED_YEARS },
  { name: "p256", key: "p256", hosts: HERE, ...HUNDRED_YEARS },
  { name: "wildcard", key: "p256", hosts: "DNS:*.wild.test", ...HUNDRED_YEARS },
  { name: "expired", key: "p256", hosts: HERE, from: HUNDRED_YEARS.from, until: "20210101000000Z" },
  { name: "future", key: "p256", hosts: HERE, from: "21190101000000Z", until: HUNDRED_YEARS.until },
  { name: "wrong-key", key: "p256", hosts: HERE, ...HUNDRED_YEARS },
];

const ALGORITHMS = {
  rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
};

/** As Node's `ticketKeys` takes them: a name, a key for the HMAC and a key for AES, 16 bytes each. */
const TICKET_KEY_BYTES = 48;

const [folder = fileURLToPath(new URL("../test/keys", import.meta.url)), ...rest] = process.argv.slice(2);
if (rest.length > 0 || folder.startsWith("-")) {
  console.error("expected at most one folder: node scripts/make-test-keys.js [FOLDER]");
  process.exit(2);
}
const workshop = mkdtempSync(join(tmpdir(), "comanche-keys-"));
const inWorkshop = (file) => join(workshop, file);
try {
  const files = makeAll();
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(folder, "staples"), { recursive: true });
  for (const file of files) copyFileSync(inWorkshop(file), join(folder, file));
  console.log(`${folder}: ${files.join(", ")}`);
} catch (fault) {
  console.error(`make-test-keys: ${fault.message}`);
  process.exitCode = 1;
} finally {
  rmSync(workshop, { recursive: true, force: true });
}

/** @returns the names of the files to keep */
function makeAll() {
  writeFileSync(inWorkshop("openssl.cnf"), configuration());
  writeFileSync(inWorkshop("issued.txt"), "");

  issue({ name: "root", subject: "Comanche test root", key: "rsa", profile: "root" });
  issue({ name: "issuer", subject: "Comanche test issuer", key: "rsa", profile: "issuer", by: "root" });
  for (const server of SERVERS) issue({ ...server, subject: server.name, profile: server.name, by: "issuer" });
  issue({ name: "client-root", subject: "Comanche test clients", key: "p256", profile: "root" });
  issue({ name: "client", subject: "client one", key: "p256", profile: "client", by: "client-root" });

  // Its certificate is for the key that is replaced here.
  makeKey("wrong-key", "p256");
  // A group of RFC 7919 (appendix A.1), known by its name: no prime is searched for.
  openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", "ffdhe2048.pem");

  const pems = [
    bundle("ca.pem", ["root.crt"]),
    ...SERVERS.map(({ name }) => bundle(`${name}.pem`, serverParts(name))),
    bundle("client-ca.pem", ["client-root.crt"]),
    bundle("client.pem", ["client.crt", "client.key"]),
  ];
  staple("rsa.crt", "rsa.pem.ocsp");
  writeFileSync(inWorkshop("ticket.key"), randomBytes(TICKET_KEY_BYTES));
  return [...pems, "ffdhe2048.pem", "rsa.pem.ocsp", "ticket.key", ...makeStaples()];
}

/** Two certificates for the same names with their staples, and staples that say or are something else. */
function makeStaples() {
  mkdirSync(inWorkshop("staples"));
  const made = [];
  for (const key of ["rsa", "p256"]) {
    issue({ name: `stapled-${key}`, subject: `stapled ${key}`, key, profile: key, by: "issuer" });
    made.push(bundle(`staples/${key}.pem`, [`stapled-${key}.crt`, "issuer.crt", `stapled-${key}.key`]));
  }
  issue({ name: "responder", subject: "Comanche test responder", key: "p256", profile: "responder", by: "issuer" });
  writeFileSync(inWorkshop("nothing.txt"), "");
  const index = "stapled-p256.crt";
  const staples = [
    staple("stapled-rsa.crt", "staples/rsa.pem.ocsp"),
    staple(index, "staples/p256.pem.ocsp"),
    staple(index, "staples/p256.sha256.ocsp", { hash: "sha256" }),
    staple(index, "staples/p256.unknown.ocsp", { index: "nothing.txt" }),
    staple(index, "staples/p256.delegated.ocsp", { signer: "responder" }),
    // A certificate of the same authority, but not for responses.
    staple(index, "staples/p256.stranger.ocsp", { signer: "stapled-rsa" }),
  ];
  openssl("ca", "-config", "openssl.cnf", "-revoke", index, "-cert", "issuer.crt", "-keyfile", "issuer.key");
  return [...made, ...staples, staple(index, "staples/p256.revoked.ocsp")];
}

/** In the order that TLS sends them in: each certificate is certified by the next (RFC 8446 §4.4.2). */
function serverParts(name) {
  const parts = [`${name}.crt`, "issuer.crt", `${name}.key`];
  return name === "rsa" ? [...parts, "ffdhe2048.pem"] : parts;
}

function bundle(file, parts) {
  writeFileSync(inWorkshop(file), parts.map((part) => readFileSync(inWorkshop(part), "latin1")).join(""));
  return file;
}

/** Makes NAME.key and NAME.crt. Without `by` it signs itself. */
function issue({ name, subject, key, profile, by, from = HUNDRED_YEARS.from, until = HUNDRED_YEARS.until }) {
  makeKey(name, key);
  openssl(
    "req",
    "-new",
    "-config",
    "openssl.cnf",
    "-key",
    `${name}.key`,
    "-subj",
    `/CN=${subject}`,
    "-out",
    `${name}.csr`,
  );
  const signer =
    by === undefined ? ["-selfsign", "-keyfile", `${name}.key`] : ["-cert", `${by}.crt`, "-keyfile", `${by}.key`];
  const span = ["-startdate", from, "-enddate", until];
  // `openssl ca` and not `x509 -req`, which learned dates of the past in 3.4 alone; a staple wants its list besides.
  const request = ["-config", "openssl.cnf", "-extensions", profile, "-in", `${name}.csr`, "-out", `${name}.crt`];
  openssl("ca", "-batch", "-notext", ...request, ...signer, ...span);
}

function makeKey(name, key) {
  openssl("genpkey", ...ALGORITHMS[key], "-out", `${name}.key`);
}

/** An OCSP response as DER (RFC 6960), which says "good" of what is in the index. The issuer signs it itself by default. */
function staple(certificate, file, { hash = "sha1", index = "issued.txt", signer = "issuer" } = {}) {
  openssl("ocsp", `-${hash}`, "-issuer", "issuer.crt", "-cert", certificate, "-no_nonce", "-reqout", "request.der");
  const responder = ["-index", index, "-CA", "issuer.crt", "-rsigner", `${signer}.crt`, "-rkey", `${signer}.key`];
  openssl("ocsp", ...responder, "-ndays", "36500", "-reqin", "request.der", "-respout", file);
  return file;
}

function configuration() {
  const servers = SERVERS.map(
    ({ name, hosts }) => `[${name}]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = ${hosts}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`,
  );
  return `[ca]
default_ca = all
[all]
database = issued.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = subject
[subject]
commonName = supplied
[req]
distinguished_name = asked
[asked]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[issuer]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[responder]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
${servers.join("")}`;
}

/** Runs openssl among the files that are made. */
function openssl(...args) {
  const { error, status, stderr } = spawnSync("openssl", args, { cwd: workshop, encoding: "utf8" });
  if (error?.code === "ENOENT") throw new Error("the program openssl is missing: install OpenSSL 3.0 or later");
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr.trim()}`);
}
