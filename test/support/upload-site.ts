/**
 * One site that takes uploads, over real sockets and a real directory, with tasks that run in the test's own process.
 */
import { readdirSync } from "node:fs";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { type Clock, EventLoopTurn, systemClock } from "../../src/base/clock.ts";
import { type Bytes, seconds } from "../../src/base/units.ts";
import { BufferPool } from "../../src/connection/buffer-pool.ts";
import { Connections } from "../../src/connection/connections.ts";
import { FieldBlocks } from "../../src/http/field-blocks.ts";
import { RefusalReport } from "../../src/observe/refusal-report.ts";
import type { LocateContext } from "../../src/site/locate.ts";
import { createService } from "../../src/site/serve.ts";
import type { Site, SiteRules } from "../../src/site/site.ts";
import type { TaskPool } from "../../src/tasks/task-types.ts";
import type { Listener } from "../../src/transport/listener.ts";
import { LIMITS } from "./connection-rig.ts";
import { directPool } from "./direct-pool.ts";
import { type Cleanup, type Entry, makeTree } from "./file-tree.ts";
import { listenHere } from "./listen-here.ts";
import { MemoryEvents } from "./memory-events.ts";
import { RawClient } from "./raw-client.ts";
import { locateContext, siteAt } from "./served-site.ts";
import { type Answer, readAnswer } from "./upload-client.ts";

export interface UploadSetting {
  readonly rules?: Partial<SiteRules>;
  readonly pool?: TaskPool;
  readonly maxBody?: Bytes;
  readonly clock?: Clock;
  /** Virtual hosts, whose document root is the directory of that name. */
  readonly hosts?: Readonly<Record<string, Partial<SiteRules>>>;
  /** Beside `root`, which is the document root. */
  readonly files?: Readonly<Record<string, Entry>>;
  /** Serves this instead of the `root` of a tree of its own. */
  readonly root?: AbsolutePath;
}

/** Of a request that brings JSON, unless it says something else. */
export interface UploadRequest {
  readonly method?: string;
  readonly target?: string;
  readonly host?: string;
  readonly type?: string | undefined;
  /** Further field lines. */
  readonly fields?: readonly string[];
  readonly body?: string | Uint8Array;
  /** In chunks of that many bytes, instead of with its length. */
  readonly chunk?: number;
}

export class UploadSite {
  readonly top: AbsolutePath;
  readonly root: AbsolutePath;
  readonly site: Site;
  readonly context: LocateContext;
  /** What the event log was told. */
  readonly events: string[] = [];
  readonly faults: unknown[] = [];
  readonly #clients: RawClient[] = [];
  readonly #connections: Connections;
  #listener: Listener | undefined;

  private constructor(t: Cleanup, setting: UploadSetting) {
    this.top = makeTree(t, { "root/hello.txt": "hello", ...setting.files });
    this.root = setting.root ?? absolutePath(`${this.top}/root`);
    const turn = new EventLoopTurn();
    const clock = setting.clock ?? systemClock;
    this.site = siteAt(this.root, turn, { upload: "/upload", ...setting.rules });
    this.context = { ...locateContext(turn, clock), pool: setting.pool ?? directPool, retryAfter: seconds(7) };
    const named = Object.entries(setting.hosts ?? {}).map(([name, rules]) => {
      const root = absolutePath(`${this.top}/${name}`);
      return [name, siteAt(root, turn, { upload: "/upload", ...rules }, name)] as const;
    });
    const service = createService({
      sites: { main: this.site, named: new Map(named), directories: undefined, defaultHost: undefined },
      locating: this.context,
      clock,
      server: "",
      boundaryNonce: "nonce",
      refusals: new RefusalReport(clock, (text) => this.events.push(text)),
      record: () => undefined,
    });
    this.#connections = new Connections(
      {
        service,
        limits: { ...LIMITS, maxBody: setting.maxBody ?? LIMITS.maxBody },
        fieldBlocks: new FieldBlocks(),
        clock: systemClock,
        buffers: new BufferPool(),
        phase: () => "serving",
        events: new MemoryEvents(),
        onFault: (fault) => this.faults.push(fault),
      },
      { maxConnections: 1000, connectionsPerClient: 0 },
    );
  }

  static async start(t: Cleanup, setting: UploadSetting = {}): Promise<UploadSite> {
    const site = new UploadSite(t, setting);
    const endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    site.#listener = await listenHere(endpoint, 128, (socket) => site.#connections.accept(socket));
    t.after(() => site.#stop());
    return site;
  }

  async connect(): Promise<RawClient> {
    const endpoint = this.#listener?.endpoint;
    if (endpoint?.kind !== "tcp") throw new Error("the server does not listen");
    const client = await RawClient.connect(endpoint.port);
    this.#clients.push(client);
    return client;
  }

  /** One request on a connection of its own. */
  async ask(request: UploadRequest): Promise<Answer> {
    const client = await this.connect();
    client.send(formatUpload(request));
    const answer = await readAnswer(client);
    client.destroy();
    return answer;
  }

  /** The names in the directory of the uploads, temporary ones too; none when it is not there. */
  uploads(directory = `${this.root}/uploads`): readonly string[] {
    try {
      return readdirSync(directory).sort();
    } catch {
      return [];
    }
  }

  /** Resolves when no connection is open and no handler at work. */
  async settled(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.#connections.drain();
  }

  #stop(): void {
    this.#listener?.close();
    this.#connections.destroyAll();
    this.#connections.close();
  }
}

export function formatUpload(request: UploadRequest = {}): Buffer {
  const { method = "POST", target = "/upload", host = "localhost", fields = [], chunk } = request;
  const type = "type" in request ? request.type : "application/json";
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields];
  if (type !== undefined) lines.push(`Content-Type: ${type}`);
  if (body !== undefined)
    lines.push(chunk === undefined ? `Content-Length: ${body.length}` : "Transfer-Encoding: chunked");
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  if (body === undefined) return head;
  return Buffer.concat([head, chunk === undefined ? body : inChunks(body, chunk)]);
}

function inChunks(body: Buffer, size: number): Buffer {
  const pieces: Buffer[] = [];
  for (let start = 0; start < body.length; start += size) {
    const piece = body.subarray(start, start + size);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
}
