/** Turns settings into the sites that answer requests. */
import { statSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { LoopTurn } from "../base/clock.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import type { Settings, SiteSettings } from "../config/settings.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { DocumentRoot, type ExactOpener, type Reach } from "../site/document-root.ts";
import type { StatFn } from "../site/file-stamp.ts";
import { HostDirectories } from "../site/host-directories.ts";
import { probeDescriptorPaths } from "../site/open-file.ts";
import type { Site, Sites } from "../site/site.ts";

/** Calls of the C library, where it is available. */
export interface NativeFiles {
  /** For a process that cannot ask the kernel for the path of a descriptor. */
  readonly openExactly: ExactOpener;
  readonly stat: StatFn;
}

/**
 * @param reach  undefined where no sandbox limits the process
 * @throws StartupError for a document root that cannot be served
 */
export function buildSites(settings: Settings, turn: LoopTurn, native?: NativeFiles, reach?: Reach): Sites {
  const descriptorPaths = probeDescriptorPaths();
  const openExactly = descriptorPaths === "proc" ? undefined : native?.openExactly;
  const stat = native?.stat;
  const buildSite = (name: string, rules: SiteSettings): Site => {
    checkDocumentRoot(rules.docbase, settings.server.chroot);
    const root = new DocumentRoot({ path: rules.docbase, turn, descriptorPaths, openExactly, stat, reach });
    checkReach(root);
    return { name, root, rules };
  };
  const main = buildSite("main", settings.main);
  const named = new Map([...settings.virtualHosts].map(([name, rules]) => [name, buildSite(name, rules)] as const));
  const directories = settings.server.virthost ? new HostDirectories(main.root, main.rules, turn) : undefined;
  return { main, named, directories, defaultHost: settings.server.defaultHost };
}

function checkDocumentRoot(path: AbsolutePath, chroot: AbsolutePath | undefined): void {
  try {
    if (!statSync(path).isDirectory()) throw new StartupError(`docbase ${path} is not a directory`);
    // stat of the dot needs search permission. (access(2) would check the real user, not the effective one.)
    statSync(`${path}/.`);
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    throw new StartupError(`cannot serve docbase ${path}: ${explain(cause, chroot)}`, { cause });
  }
}

/** The root also learns what to serve while a later directory is out of reach. */
function checkReach(root: DocumentRoot): void {
  if (root.state().kind !== "out-of-reach") return;
  throw new StartupError(
    `cannot serve docbase ${root.path}: the sandbox does not reach it: ` +
      "let the user who starts the server enter it, or set sandbox = no",
  );
}

function explain(cause: unknown, chroot: AbsolutePath | undefined): string {
  switch (errorCode(cause)) {
    case "ENOENT":
      return chroot === undefined
        ? "there is no such directory; name one with -b"
        : `there is no such directory inside the chroot ${chroot}`;
    case "EACCES":
      return "permission denied; the server's user must be able to enter it";
    default:
      return describeSystemError(cause);
  }
}
