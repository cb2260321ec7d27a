/**
 * Certificates and keys, read by the primary: files that only root may read are read here, and a bad one is refused as
 * a whole, so that what is in force stays in force.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import type { ServerSettings } from "../config/settings.ts";
import { readIdentity } from "../net/certificate.ts";
import { splitPem } from "../net/pem.ts";
import type { TlsIdentity, TlsMaterial } from "../net/tls-identity.ts";
import { checkMaterial, type TlsRules } from "../net/tls-server.ts";
import { describeSystemError } from "../observe/thrown.ts";

const TICKET_KEY_BYTES = 48;
/** No file of keys and certificates is larger; a path that leads to something else is noticed early. */
const MAX_FILE_BYTES = 1024 * 1024;

export interface LoadedTls {
  readonly material: TlsMaterial;
  /** Certificates that have expired, or soon will. */
  readonly warnings: readonly string[];
  /** Tells one state of the files from another. */
  readonly state: string;
}

/**
 * @param tickets  seal session tickets where the settings name no file for them
 * @param now  milliseconds since 1970
 * @returns undefined where TLS is not asked for
 * @throws StartupError that names the file and what is wrong with it
 */
export function loadTls(server: ServerSettings, tickets: Uint8Array, now: number): LoadedTls | undefined {
  if (server.tlsPort === undefined) return undefined;
  const state = describeTlsFiles(server);
  const warnings: string[] = [];
  const identities: TlsIdentity[] = [];
  for (const path of certificateFiles(server)) {
    const result = readIdentity(
      {
        certificate: readPem(path),
        key: server.tlsKey === undefined ? undefined : readPem(server.tlsKey),
        ocsp: readIfThere(absolutePath(`${path}.ocsp`)),
      },
      now,
    );
    if (result.kind === "fault") throw new StartupError(result.fault);
    identities.push(result.identity);
    if (result.warning !== undefined) warnings.push(result.warning);
  }
  const [first, ...others] = identities;
  if (first === undefined) throw new StartupError(`tls-dir ${server.tlsDir}: there is no *.pem file in it`);
  const material: TlsMaterial = {
    identities: [first, ...others],
    ticketKeys: server.tlsTicketKeys === undefined ? tickets : readTicketKeys(server.tlsTicketKeys),
    clientAuthorities: server.tlsClientCa === undefined ? undefined : readAuthorities(server.tlsClientCa),
  };
  try {
    checkMaterial(material, tlsRules(server));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.trim() : String(cause);
    throw new StartupError(`the TLS settings do not work: ${why}`, { cause });
  }
  return { material, warnings, state };
}

export function tlsRules(server: ServerSettings): TlsRules {
  return {
    minVersion: server.tlsMinVersion === "1.2" ? "TLSv1.2" : "TLSv1.3",
    ciphers: server.tlsCiphers,
    suites: server.tlsSuites,
    curves: server.tlsCurves,
    sniStrict: server.tlsSniStrict,
    clientVerify: server.tlsClientVerify,
    handshakeTimeout: server.tlsHandshakeTimeout,
    alpn: ["http/1.1"],
  };
}

/** A text that changes when one of the files does, or comes or goes. */
export function describeTlsFiles(server: ServerSettings): string {
  const { tlsKey, tlsTicketKeys, tlsClientCa } = server;
  const single = [tlsKey, tlsTicketKeys, tlsClientCa].filter((path) => path !== undefined);
  let files: readonly AbsolutePath[];
  try {
    files = certificateFiles(server);
  } catch {
    files = [];
  }
  const all = [...files, ...files.map((path) => absolutePath(`${path}.ocsp`)), ...single];
  return all.map((path) => `${path} ${describeFile(path)}`).join("\n");
}

function describeFile(path: AbsolutePath): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (fault) {
    return errorCode(fault) ?? "unreadable";
  }
}

function certificateFiles({ tlsCert, tlsDir }: ServerSettings): readonly AbsolutePath[] {
  if (tlsDir === undefined) return tlsCert;
  try {
    const names = readdirSync(tlsDir).filter((name) => name.endsWith(".pem") && !name.startsWith("."));
    return [...tlsCert, ...names.sort().map((name) => absolutePath(join(tlsDir, name)))];
  } catch (cause) {
    throw new StartupError(`cannot read tls-dir ${tlsDir}: ${describeSystemError(cause)}`, { cause });
  }
}

function readPem(path: AbsolutePath): { readonly name: string; readonly text: string } {
  return { name: path, text: Buffer.from(readWhole(path)).toString("latin1") };
}

function readAuthorities(path: AbsolutePath): string {
  const { certificates } = splitPem(Buffer.from(readWhole(path)).toString("latin1"));
  if (certificates.length === 0)
    throw new StartupError(`${path}: there is no certificate in it: expected those of tls-client-ca`);
  return certificates.join("");
}

function readTicketKeys(path: AbsolutePath): Uint8Array {
  const keys = readWhole(path);
  if (keys.length === TICKET_KEY_BYTES) return keys;
  throw new StartupError(
    `${path}: has ${keys.length} bytes: expected ${TICKET_KEY_BYTES}, made with openssl rand -out FILE ${TICKET_KEY_BYTES}`,
  );
}

function readIfThere(path: AbsolutePath): Uint8Array | undefined {
  return describeFile(path) === "ENOENT" ? undefined : readWhole(path);
}

function readWhole(path: AbsolutePath): Uint8Array {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new StartupError(`${path}: is no file`);
    if (stats.size > MAX_FILE_BYTES)
      throw new StartupError(`${path}: is too large for a file of keys and certificates`);
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    const hint = errorCode(cause) === "EACCES" ? "; the server must be started by somebody who may read it" : "";
    throw new StartupError(`cannot read ${path}: ${describeSystemError(cause)}${hint}`, { cause });
  }
}
