/**
 * What the program itself must be able to read under Landlock: Node, its libraries, this package, and what they look into
 * at start and later. What of it is not there does no harm.
 */
import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { type LandlockRule, MAY_READ, MAY_READ_AND_WRITE, MAY_RUN } from "./landlock.ts";

/** Asked of the process that is to be confined: it has just loaded the libraries that its successor will load. */
export function findRuntimeRules(environment: NodeJS.ProcessEnv): readonly LandlockRule[] {
  const read = (path: string): LandlockRule => ({ path: absolutePath(path), access: MAY_READ });
  const run = (path: string): LandlockRule => ({ path: absolutePath(path), access: MAY_RUN });
  const write = (path: string): LandlockRule => ({ path: absolutePath(path), access: MAY_READ_AND_WRITE });
  const mapped = parseMappedFiles(readMaps());
  return [
    run(realPath(process.execPath)),
    // One of them is the loader, which is executed; its name differs from system to system.
    ...mapped.map(({ path, isCode }) => (isCode ? run(path) : read(path))),
    ...packagePaths(fileURLToPath(import.meta.url)).map(read),
    ...environmentPaths(environment, process.cwd()).map(read),
    ...SYSTEM_PATHS.map(read),
    ...DEVICES.map(write),
  ];
}

const SYSTEM_PATHS = [
  "/etc/ld.so.cache",
  // Node ends when one of these is there and may not be read. What they include on Red Hat's systems comes with them.
  "/etc/ssl/openssl.cnf",
  "/usr/lib/ssl/openssl.cnf",
  "/usr/local/ssl/openssl.cnf",
  "/etc/pki/tls/openssl.cnf",
  "/etc/pki/tls/openssl.d",
  "/etc/pki/tls/fips_local.cnf",
  "/etc/crypto-policies",
  "/usr/share/crypto-policies",
  // The time zone.
  "/etc/localtime",
  "/usr/share/zoneinfo",
  // Memory and processors, by which V8 and libuv size themselves.
  "/proc/meminfo",
  "/proc/cpuinfo",
  "/proc/stat",
  "/proc/sys/vm/overcommit_memory",
  "/sys/fs/cgroup",
  "/sys/devices/system/cpu",
  // Of this process alone, also after it has executed itself again: where a descriptor leads, and what its threads may do.
  "/proc/self",
];

const DEVICES = ["/dev/null", "/dev/urandom"];

export interface MappedFile {
  readonly path: AbsolutePath;
  readonly isCode: boolean;
}

/** @param text  /proc/PID/maps (proc_pid_maps(5)); a file that was replaced on the disk is given by its name */
export function parseMappedFiles(text: string): readonly MappedFile[] {
  const files = new Map<string, boolean>();
  for (const line of text.split("\n")) {
    const match = /^[0-9a-f]+-[0-9a-f]+ (\S{4}) [0-9a-f]+ \S+ [0-9]+ +(\/.*)$/.exec(line);
    const [, rights, named] = match ?? [];
    if (rights === undefined || named === undefined) continue;
    const path = named.replace(/ \(deleted\)$/, "");
    files.set(path, files.get(path) === true || rights.includes("x"));
  }
  return [...files].map(([path, isCode]) => ({ path: absolutePath(path), isCode }));
}

/**
 * Where this package and those it needs lie.
 *
 * @param file  a compiled module two folders below the program: the package's own, `node_modules` inside it, and where
 *              it is installed as a part of another, the `node_modules` it lies in
 */
export function packagePaths(file: string): readonly string[] {
  const program = dirname(dirname(dirname(file)));
  const top = dirname(program);
  const around: string[] = [];
  for (let folder = top; folder !== dirname(folder); folder = dirname(folder)) {
    if (basename(folder) === "node_modules") around.push(folder);
  }
  return [program, join(top, "package.json"), join(top, "node_modules"), ...around];
}

const PATH_VARIABLES = [
  "OPENSSL_CONF",
  "OPENSSL_MODULES",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "NODE_ICU_DATA",
  "TZDIR",
];
/** Options of Node that name a module. Others lie beside it, so its folder is meant. */
const MODULE_OPTION = /(?:^|\s)(?:--import|--require|-r|--loader|--experimental-loader)(?:=|\s+)("[^"]*"|\S+)/g;

/** What variables of the environment make Node read. */
export function environmentPaths(environment: NodeJS.ProcessEnv, folder: string): readonly string[] {
  const paths = PATH_VARIABLES.flatMap((name) => {
    const path = environment[name];
    return path === undefined || path === "" ? [] : [resolve(folder, path)];
  });
  const modules = [...(environment.NODE_OPTIONS ?? "").matchAll(MODULE_OPTION)].flatMap(([, word = ""]) => {
    const name = word.replaceAll('"', "");
    const path = name.startsWith("file:") ? fileURLToPath(name) : name;
    // Other names are packages.
    return /^\.{0,2}\//.test(path) ? [dirname(resolve(folder, path))] : [];
  });
  // TZ may name a file (tzset(3)).
  const [, zone] = /^:?(\/.*)$/.exec(environment.TZ ?? "") ?? [];
  return [...paths, ...(zone === undefined ? [] : [zone]), ...modules];
}

function readMaps(): string {
  try {
    return readFileSync("/proc/self/maps", "utf8");
  } catch {
    return "";
  }
}

/** A path that cannot be resolved stays as it is. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
