/**
 * TLS terminators as the tests see them, ours and hitch: the same options, and the same few things that can be done to one.
 *
 * What one program alone can do is asked of that one's own file.
 */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { addToTree } from "./file-tree.ts";
import { readKey } from "./tls-client.ts";

/** What the backend gets ahead of the client's first byte. */
export type Announce = "ip" | "proxy-v1" | "proxy-v2" | "passed-on";

export interface TerminatorOptions {
  readonly backend: Endpoint;
  /** Where it listens: 127.0.0.1 without. */
  readonly host?: string;
  /** Files of test/keys, in the order of the command line; p256.pem without. */
  readonly pems?: readonly string[];
  /** Files of test/keys that are in its folder of certificates at the start. There is no such folder without. */
  readonly folder?: readonly string[];
  readonly announce?: Announce;
  /** A file of test/keys. */
  readonly clientCa?: string;
  readonly clientVerify?: "required" | "optional";
  readonly sniStrict?: boolean;
  readonly minVersion?: "1.2" | "1.3";
  readonly alpn?: readonly string[];
  /** Processes: 1 without. */
  readonly workers?: number;
}

export type ReloadOutcome = "taken up" | "refused";

export interface Terminator {
  readonly port: number;
  readonly pid: number;
  /** Of certificates, where one was asked for; any `*.pem` in it counts. */
  readonly folder: AbsolutePath;
  /** HUP, and what comes of it. */
  reload(): Promise<ReloadOutcome>;
}

/** Makes a terminator's folder of certificates. */
export function makeFolder(folder: AbsolutePath, names: readonly string[]): void {
  addToTree(folder, { "/": "", ...Object.fromEntries(names.map((name) => [name, readKey(name)])) });
}

/** In one step, as careful programs do it. */
export function putInto({ folder }: Terminator, name: string, text: string): void {
  writeFileSync(`${folder}/${name}.new`, text);
  renameSync(`${folder}/${name}.new`, `${folder}/${name}`);
}

export function removeFrom({ folder }: Terminator, name: string): void {
  rmSync(`${folder}/${name}`);
}
