/**
 * The settings of one terminator, from a section of the file or the command line of `comanche tls`, and their conflicts.
 */
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { type Fault, fileFault, flagFault, type Position, quote } from "./fault.ts";
import { type Check, faultsAt, type Layer, LayerReader } from "./layer.ts";
import { flag } from "./option-kinds.ts";
import type { SettingsOf, Situation } from "./options.ts";
import { ANNOUNCEMENTS, type Announcement, PEM_KEY, pemOption, terminatorOptions } from "./terminator-options.ts";

export interface TerminatorSettings extends SettingsOf<typeof terminatorOptions> {
  readonly announcement: Announcement;
  /** The last is for clients that ask for a name that no certificate has. With `client` at most one, which it shows to the backend. */
  readonly pemFiles: readonly AbsolutePath[];
}

/** A section [TLS terminator NAME], not read yet. */
export interface TerminatorSection {
  readonly layer: Layer;
  /** As it is written, and where. */
  readonly title: string;
  readonly position: Position;
}

/** No default of a terminator depends on it. */
export const ANY_SITUATION: Situation = { isRoot: false, htdocs: absolutePath("/") };

const NO_PEM = "expected a PEM file with certificates and key";

/** @param faults  gets those that are found */
export function readTerminators(
  sections: ReadonlyMap<string, TerminatorSection>,
  faults: Fault[],
): ReadonlyMap<string, TerminatorSettings> {
  return new Map(
    [...sections].map(([name, { layer, title, position }]) => {
      const reader = new LayerReader(layer, ANY_SITUATION, faults);
      const pemFiles = reader.read(pemOption, PEM_KEY, []);
      const terminator = readTerminator(layer, pemFiles, reader, faults);
      if (needsPem(terminator) && !reader.unreadable.has(PEM_KEY)) {
        faults.push(fileFault(position, `[${quote(title)}] ${PEM_KEY}: ${NO_PEM}`));
      }
      return [name, terminator] as const;
    }),
  );
}

/** @param reader  of the same layer, and of the same faults */
export function readTerminator(
  layer: Layer,
  pemFiles: readonly AbsolutePath[],
  reader: LayerReader,
  faults: Fault[],
): TerminatorSettings {
  const options = reader.readRows(terminatorOptions);
  const announced = ANNOUNCEMENTS.filter(({ key }) => reader.read({ kind: flag }, key, false));
  const terminator: TerminatorSettings = {
    ...options,
    announcement: announced[0]?.announces ?? "nothing",
    pemFiles,
  };
  const keys = announced.map(({ key }) => key);
  const several = `${keys.join(" and ")} exclude each other: expected only one of them`;
  const checks = [[keys.length > 1, keys, several] as const, ...crossCheckTerminator(terminator)];
  faults.push(...faultsAt(checks, layer, reader.unreadable));
  return terminator;
}

/** Whether it lacks the certificate without which it cannot be. */
export function needsPem({ pemFiles, tlsDir, client }: TerminatorSettings): boolean {
  return pemFiles.length === 0 && tlsDir === undefined && !client;
}

/** For the command line, where PEM files have no key. */
export function missingPem(program: string): Fault {
  return flagFault(program, `${NO_PEM}, such as ${program} server.pem`);
}

const DEFAULT_HANDSHAKES = terminatorOptions.tlsHandshakes.defaultFor(ANY_SITUATION);

/** What only a side that answers handshakes can be asked for. */
const SERVER_KEYS = [
  ["tls-dir", ({ tlsDir }) => tlsDir !== undefined],
  ["tls-sni-strict", ({ tlsSniStrict }) => tlsSniStrict],
  ["tls-client-ca", ({ tlsClientCa }) => tlsClientCa !== undefined],
  ["tls-ticket-keys", ({ tlsTicketKeys }) => tlsTicketKeys.length > 0],
  ["tls-handshakes", ({ tlsHandshakes }) => tlsHandshakes !== DEFAULT_HANDSHAKES],
] as const satisfies readonly (readonly [key: string, isSet: (terminator: TerminatorSettings) => boolean])[];

function crossCheckTerminator(terminator: TerminatorSettings): readonly Check[] {
  const { client, backendCa, tlsClientCa, tlsClientVerify, trustedProxies, announcement, pemFiles } = terminator;
  return [
    [
      backendCa !== undefined && !client,
      ["backend-ca"],
      "has no effect without client: the connection to the backend is not encrypted",
    ],
    [
      tlsClientCa === undefined && tlsClientVerify !== "require",
      ["tls-client-verify"],
      "has no effect without tls-client-ca",
    ],
    [
      trustedProxies.length > 0 && announcement !== "passed-on",
      ["trusted-proxies"],
      "has no effect without proxy-proxy",
    ],
    [
      client && pemFiles.length > 1,
      [PEM_KEY, "client"],
      "with client: expected at most one PEM file, the client certificate for the backend",
    ],
    ...SERVER_KEYS.map(
      ([key, isSet]): Check => [
        client && isSet(terminator),
        [key],
        "has no effect with client: clients come without TLS",
      ],
    ),
  ];
}
