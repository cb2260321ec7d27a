/** The primary reads certificates and keys, which perhaps only root may read. It uses all or, on a fault, none. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { readAuthorities, readIdentity, type StapleFile } from "../tls/certificate.ts";
import { type CipherOptions, findGap, findNameFault } from "../tls/cipher-lists.ts";
import type { PemFile } from "../tls/pem.ts";
import { introduceKey, TICKET_KEY_BYTES, type TicketRing } from "../tls/ticket-ring.ts";
import { checkMaterial, clientContext, type TlsRules, takesSeveralTicketKeys } from "../tls/tls-context.ts";
import { companionsOf, type SideMaterial, type TlsIdentity, type TlsMaterials } from "../tls/tls-identity.ts";
import type { TlsSpec, TlsSpecs } from "../tls/tls-specs.ts";
import { formatPurpose } from "../transport/endpoint.ts";

const HTTPS = formatPurpose({ kind: "https" });
/** No file of keys and certificates is larger; this detects a path to something else early. */
const MAX_FILE_BYTES = 1024 * 1024;

export interface LoadedTls {
  readonly materials: TlsMaterials;
  /** Files whose certificates were read, for messages: our own, and those of authorities. */
  readonly files: readonly string[];
  /** Certificates that have expired or soon will. */
  readonly warnings: readonly string[];
  /** Changes when one of the files changes. */
  readonly state: string;
  /** Those that sides without a file of their own have. */
  readonly tickets: TicketRing;
}

/**
 * @param tickets  ticket keys for sides whose settings name no file
 * @throws StartupError that names the file and what is wrong with it
 */
export function loadTls(specs: TlsSpecs, tickets: TicketRing, now: number): LoadedTls {
  const state = describeTlsFiles(specs);
  const warnings: string[] = [];
  const files: string[] = [];
  const materials = new Map<string, SideMaterial>();
  for (const [user, spec] of specs) {
    const identities = readIdentities(spec, now, warnings);
    files.push(...identities.map(({ file }) => file));
    if (spec.authorityFile !== undefined) files.push(spec.authorityFile);
    const material = assemble(spec, identities, tickets);
    if (spec.ticketKeyFiles.length > 1 && !takesSeveralTicketKeys()) {
      warnings.push("this version of Node decrypts session tickets only with the first file of tls-ticket-keys");
    }
    checkRules(user, spec, material);
    materials.set(user, material);
  }
  return { materials, files, warnings: [...new Set(warnings)], state, tickets };
}

/** Replaces the ticket keys of sides that use the primary's. */
export function withTickets(materials: TlsMaterials, specs: TlsSpecs, ticketKeys: TicketRing): TlsMaterials {
  return new Map(
    [...materials].map(([user, each]) => {
      const isOwn = each.side === "client" || (specs.get(user)?.ticketKeyFiles.length ?? 0) > 0;
      return [user, isOwn ? each : { side: "server", material: { ...each.material, ticketKeys } }];
    }),
  );
}

/** The keys of `wanted`, but where processes must first know a new one before any of them encrypts with it. */
export function introduceTickets(before: TlsMaterials, wanted: TlsMaterials): TlsMaterials {
  let isIntroducing = false;
  const introduced = [...wanted].map(([user, each]): [string, SideMaterial] => {
    const old = before.get(user);
    if (each.side === "client" || old?.side !== "server") return [user, each];
    const ticketKeys = introduceKey(old.material.ticketKeys, each.material.ticketKeys);
    if (ticketKeys === each.material.ticketKeys) return [user, each];
    isIntroducing = true;
    return [user, { side: "server", material: { ...each.material, ticketKeys } }];
  });
  return isIntroducing ? new Map(introduced) : wanted;
}

/** Without the staples that have expired. @returns `materials` itself when none has, and a warning for each that has */
export function withoutExpired(
  materials: TlsMaterials,
  now: number,
): { readonly materials: TlsMaterials; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const check = (identity: TlsIdentity): TlsIdentity => {
    const until = identity.staple?.until;
    if (until === undefined || now < until) return identity;
    const warning = `${identity.file}.ocsp: expired on ${new Date(until).toUTCString()}: no OCSP response is stapled`;
    if (!warnings.includes(warning)) warnings.push(warning);
    return { ...identity, staple: undefined };
  };
  const checked = [...materials].map(([user, each]): [string, SideMaterial] => {
    if (each.side === "client") return [user, each];
    const { identities, fallback } = each.material;
    const left = identities.map(check);
    const kept = left[identities.indexOf(fallback)] ?? fallback;
    return [user, { side: "server", material: { ...each.material, identities: left, fallback: kept } }];
  });
  return { materials: warnings.length === 0 ? materials : new Map(checked), warnings };
}

function readIdentities(spec: TlsSpec, now: number, warnings: string[]): readonly TlsIdentity[] {
  const { keyFile } = spec;
  return certificateFiles(spec).map((path) => {
    const result = readIdentity(
      {
        certificate: readPem(path),
        key: keyFile === undefined ? undefined : readPem(keyFile),
        ocsp: readStaple(absolutePath(`${path}.ocsp`), warnings),
      },
      now,
    );
    if (result.kind === "fault") throw new StartupError(result.fault);
    warnings.push(...result.warnings);
    return result.identity;
  });
}

function assemble(spec: TlsSpec, identities: readonly TlsIdentity[], tickets: TicketRing): SideMaterial {
  const authorities = spec.authorityFile === undefined ? undefined : loadAuthorities(spec.authorityFile, spec.side);
  const fallback = identities.at(spec.fallback === "first" ? 0 : -1);
  if (spec.side === "client") return { side: "client", material: { identity: fallback, authorities } };
  if (fallback === undefined) throw new StartupError(`tls-dir ${spec.folder}: no *.pem file found`);
  const ticketKeys = spec.ticketKeyFiles.length === 0 ? tickets : spec.ticketKeyFiles.map(readTicketKey);
  return { side: "server", material: { identities, fallback, ticketKeys, clientAuthorities: authorities } };
}

const HTTPS_OPTIONS: CipherOptions = { ciphers: "tls-ciphers", suites: "tls-suites", curves: "tls-curves" };
const TERMINATOR_OPTIONS: CipherOptions = { ...HTTPS_OPTIONS, ciphers: "ciphers" };

/** @throws StartupError with what is wrong with the lists, or OpenSSL's message */
function checkRules(user: string, { rules }: TlsSpec, each: SideMaterial): void {
  const whose = user === HTTPS ? "" : `${user}: `;
  const options = user === HTTPS ? HTTPS_OPTIONS : TERMINATOR_OPTIONS;
  const nameFault = findNameFault(rules, options);
  if (nameFault !== undefined) throw new StartupError(`${whose}${nameFault}`);
  try {
    if (each.side === "client") clientContext(each.material, rules);
    else checkMaterial(each.material, rules);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.trim() : String(cause);
    throw new StartupError(`${whose}OpenSSL rejects the TLS settings: ${why}`, { cause });
  }
  const gap = findAnyGap(rules, each, options);
  if (gap !== undefined) throw new StartupError(`${whose}${gap}`);
}

function findAnyGap(rules: TlsRules, each: SideMaterial, options: CipherOptions): string | undefined {
  if (each.side === "client") return findGap(rules, undefined, options);
  const { identities } = each.material;
  for (const identity of identities) {
    const shown = companionsOf(identity, identities);
    const hasDhParameters = shown.some(({ dhParameters }) => dhParameters !== undefined);
    const keys = { file: identity.file, keyTypes: shown.map(({ keyType }) => keyType), hasDhParameters };
    const gap = findGap(rules, keys, options);
    if (gap !== undefined) return gap;
  }
  return undefined;
}

/** A text that changes when one of the files changes, appears or disappears. */
export function describeTlsFiles(specs: TlsSpecs): string {
  return [...specs.values()]
    .flatMap(filesOf)
    .map((path) => `${path} ${describeFile(path)}`)
    .join("\n");
}

function filesOf(spec: TlsSpec): readonly AbsolutePath[] {
  const single = [spec.keyFile, ...spec.ticketKeyFiles, spec.authorityFile].filter((path) => path !== undefined);
  let files: readonly AbsolutePath[];
  try {
    files = certificateFiles(spec);
  } catch {
    files = [];
  }
  return [...files, ...files.map((path) => absolutePath(`${path}.ocsp`)), ...single];
}

function describeFile(path: AbsolutePath): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (fault) {
    return errorCode(fault) ?? "unreadable";
  }
}

function certificateFiles({ pemFiles, folder, fallback }: TlsSpec): readonly AbsolutePath[] {
  const listed = folder === undefined ? [] : listFolder(folder);
  if (fallback === "first") return [...pemFiles, ...listed];
  return [...listed, ...pemFiles];
}

function listFolder(folder: AbsolutePath): readonly AbsolutePath[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(".pem") && !name.startsWith("."));
    return names.sort().map((name) => absolutePath(join(folder, name)));
  } catch (cause) {
    throw new StartupError(`cannot read tls-dir ${folder}: ${describeSystemError(cause)}`, { cause });
  }
}

function readPem(path: AbsolutePath): PemFile {
  return { name: path, text: Buffer.from(readWhole(path)).toString("latin1") };
}

function loadAuthorities(path: AbsolutePath, side: TlsSpec["side"]): string {
  const result = readAuthorities(readPem(path), side === "server" ? "tls-client-ca" : "backend-ca");
  if (result.kind === "fault") throw new StartupError(result.fault);
  return result.pem;
}

function readTicketKey(path: AbsolutePath): Uint8Array {
  const key = readWhole(path);
  if (key.length === TICKET_KEY_BYTES) return key;
  throw new StartupError(
    `${path}: has ${key.length} bytes: expected ${TICKET_KEY_BYTES}, made with openssl rand -out FILE ${TICKET_KEY_BYTES}`,
  );
}

/** A certificate is served without a staple that cannot be read. */
function readStaple(name: AbsolutePath, warnings: string[]): StapleFile | undefined {
  if (describeFile(name) === "ENOENT") return undefined;
  try {
    return { name, bytes: readWhole(name) };
  } catch (fault) {
    if (!(fault instanceof StartupError)) throw fault;
    warnings.push(`${fault.message}: no OCSP response is stapled`);
    return undefined;
  }
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
    const hint = errorCode(cause) === "EACCES" ? "; start the server with an account that may read it" : "";
    throw new StartupError(`cannot read ${path}: ${describeSystemError(cause)}${hint}`, { cause });
  }
}
