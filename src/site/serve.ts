/**
 * What happens to a request, from top to bottom: its site, its resource, its plan, its answer.
 */

import type { Clock } from "../base/clock.ts";
import { toUnixSeconds, type UnixSeconds } from "../base/units.ts";
import { formatEntityTag } from "../http/entity-tag.ts";
import type { ExchangeRecord, IncomingRequest, Refusal, ResponseWriter, Service } from "../http/exchange.ts";
import { MessageMemo } from "../http/message-memo.ts";
import { isGetOrHead } from "../http/method.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { BodyPlan, ResponsePlan } from "../http/response-plan.ts";
import type { RefusalReport } from "../observe/refusal-report.ts";
import { chooseSite, formatHostCheck, type SiteChoice, type Sites } from "./choose-site.ts";
import type { CachedFile } from "./file-cache.ts";
import { loadErrorPage } from "./find-file.ts";
import { type LocateContext, locate } from "./locate.ts";
import { withErrorPage } from "./plan-page.ts";
import { planRefusal, planResponse, withField, withServerField } from "./plan-response.ts";
import { type Refused, type Resource, release } from "./resource.ts";
import type { Site } from "./site.ts";
import { hstsField, redirectToTls, type TlsPresence } from "./tls-presence.ts";
import { ACCEPT_POST, acceptUpload, takesUploads } from "./upload.ts";

export interface ServeOptions {
  readonly sites: Sites;
  readonly locating: LocateContext;
  readonly clock: Clock;
  /** The Server field; empty leaves it out. */
  readonly server: string;
  /** Random, made at start: see `PlanContext`. */
  readonly boundaryNonce: string;
  readonly refusals: RefusalReport;
  record(exchange: ExchangeRecord): void;
  /** Undefined where TLS is not spoken. */
  readonly tls?: TlsPresence | undefined;
  /** Told of each host check; undefined while nobody wants to know. */
  readonly trace?: ((text: string) => void) | undefined;
}

const ALLOW = "GET, HEAD, OPTIONS";
const ALLOW_WITH_UPLOADS = "GET, HEAD, POST, OPTIONS";
/** Any of these makes the answer to a GET more than the whole file. */
const CONDITIONS = ["range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since"] as const;

export function createService(options: ServeOptions): Service {
  const { sites, locating, clock, tls } = options;

  function answer(request: IncomingRequest, writer: ResponseWriter): void | Promise<void> {
    const { head } = request;
    if (tls?.redirects === true && isPlain(request)) {
      return settled(writer.send(plan(head, redirectToTls(head, tls), undefined)));
    }
    const choice = chooseSite(sites, head.host);
    options.trace?.(formatHostCheck(choice, head.host));
    if (choice.kind === "refused") return answerUnknownHost(choice, request, writer);
    const { site } = choice;
    if (isGetOrHead(head.method)) {
      const cached = locating.files.lookup(site, head.path);
      if (cached !== undefined) return settled(writer.send(planCached(cached, site, head)));
    }
    const resource = find(site, request);
    if (resource instanceof Promise) return resource.then((found) => answerWith(found, site, request, writer));
    return answerWith(resource, site, request, writer);
  }

  function find(site: Site, request: IncomingRequest): Resource | Promise<Resource> {
    const { head } = request;
    if (isGetOrHead(head.method)) return locate(locating, site, head, request);
    const isForUploads = takesUploads(site.rules, head.path);
    if (head.method === "OPTIONS") return describeOptions(isForUploads);
    if (head.method === "POST" && isForUploads) return acceptUpload(locating, site, request);
    return methodNotAllowed(isForUploads);
  }

  function answerWith(
    resource: Resource,
    site: Site,
    request: IncomingRequest,
    writer: ResponseWriter,
  ): void | Promise<void> {
    report(resource, site, request);
    let sending: ReturnType<ResponseWriter["send"]>;
    try {
      sending = writer.send(plan(request.head, resource, site));
    } catch (fault) {
      release(resource);
      throw fault;
    }
    if (typeof sending === "string") {
      release(resource);
      return;
    }
    return sending.then(() => undefined).finally(() => release(resource));
  }

  function planCached(file: CachedFile, site: Site, head: RequestHead): ResponsePlan {
    if (!isCommonGet(head, site)) return planUncommon(file, site, head);
    if (file.plan !== undefined) return file.plan;

    const planned = plan(head, fileInMemory(file), site);
    // A date in the future is sent as the present one, which moves: such a plan holds for one response only.
    return file.facts.modified <= now() ? keepPlan(file, planned) : planned;
  }

  function planUncommon(file: CachedFile, site: Site, head: RequestHead): ResponsePlan {
    if (!isRevalidation(head, file)) return plan(head, fileInMemory(file), site);
    if (file.notModified === undefined) {
      const planned = plan(head, fileInMemory(file), site);
      file.notModified = withMemo(planned, planned.body, new MessageMemo());
    }
    return file.notModified;
  }

  /** @param site  undefined where there is none, or none that is sure */
  function plan(head: RequestHead, resource: Resource, site: Site | undefined): ResponsePlan {
    const context = { now: now(), boundaryNonce: options.boundaryNonce, chunked: site?.rules.chunked ?? false };
    const planned = complete(planResponse(head, resource, context), site);
    return tls === undefined || tls.hsts === 0 || site === undefined ? planned : withField(planned, hstsField(tls));
  }

  function planRefusedRequest(refusal: Refusal, head: RequestHead | undefined): ResponsePlan {
    const choice = chooseSite(sites, head?.host);
    return complete(planEarlyRefusal(refusal, head), choice.kind === "site" ? choice.site : undefined);
  }

  /** What the protocol itself refuses; two statuses bring a field of their own (RFC 9110 §15.5.6, §15.6.4). */
  function planEarlyRefusal(refusal: Refusal, head: RequestHead | undefined): ResponsePlan {
    const plan = planRefusal(refusal, head);
    if (refusal.status === 405) return { ...plan, fields: [...plan.fields, { name: "Allow", value: ALLOW }] };
    if (refusal.status !== 503) return plan;
    return { ...plan, fields: [...plan.fields, { name: "Retry-After", value: String(locating.retryAfter) }] };
  }

  function complete(plan: ResponsePlan, site: Site | undefined): ResponsePlan {
    const page = site && loadErrorPage(locating, site, plan.status);
    return withServerField(page === undefined ? plan : withErrorPage(plan, page), options.server);
  }

  function now(): UnixSeconds {
    return toUnixSeconds(clock.wall());
  }

  function answerUnknownHost(
    choice: Extract<SiteChoice, { kind: "refused" }>,
    request: IncomingRequest,
    writer: ResponseWriter,
  ): void | Promise<void> {
    const host = request.head.host?.name ?? "(none)";
    const why = choice.status === 403 ? `not one of hosts: ${host}` : `no site for host ${host}`;
    const hint = choice.nearest === undefined ? "" : `; did the client mean ${choice.nearest}?`;
    options.refusals.add(`${why} from ${request.peer.address}${hint}`);
    return settled(writer.send(plan(request.head, choice, undefined)));
  }

  function report(resource: Resource, site: Site, { head, peer }: IncomingRequest): void {
    if (resource.kind !== "refused" && resource.kind !== "busy") return;
    switch (resource.reason) {
      case "traversal":
      case "symlink-escape":
        options.refusals.add(`refused ${head.path} from ${peer.address}: ${resource.reason}`);
        return;
      case "no-space":
      case "upload-unavailable":
        options.refusals.add(`refused an upload to ${site.name} from ${peer.address}: ${resource.reason}`);
        return;
    }
  }

  return { answer, planRefusal: planRefusedRequest, record: options.record };
}

/** With the plan its finished message is kept; whatever else holds the content is let go then, and the message taken instead. */
function keepPlan(file: CachedFile, planned: ResponsePlan): ResponsePlan {
  const length = file.bytes.length;
  const isPlain = planned.body.kind === "bytes" && planned.body.bytes.length === length;
  const memo = new MessageMemo((message) => {
    if (!isPlain) return;
    file.bytes = message.subarray(message.length - length);
    file.plan = withMemo(planned, { kind: "bytes", bytes: file.bytes }, memo);
  });
  file.plan = withMemo(planned, planned.body, memo);
  return file.plan;
}

/** Written out: see `stampOf`. */
function withMemo({ status, fields }: ResponsePlan, body: BodyPlan, memo: MessageMemo): ResponsePlan {
  return { status, fields, body, memo };
}

function describeOptions(isForUploads: boolean): Resource {
  if (!isForUploads) return { kind: "options", allow: ALLOW };
  return { kind: "options", allow: ALLOW_WITH_UPLOADS, acceptPost: ACCEPT_POST };
}

function methodNotAllowed(isForUploads: boolean): Refused {
  const fields = [{ name: "Allow", value: isForUploads ? ALLOW_WITH_UPLOADS : ALLOW }];
  return { kind: "refused", status: 405, reason: "method-not-allowed", fields };
}

function fileInMemory({ facts, bytes }: CachedFile): Resource {
  return { kind: "file", facts, content: { kind: "memory", bytes } };
}

/** Whether the answer is the same for all who ask so. HTTP/1.0 has no chunked coding, so it is answered for itself there. */
function isCommonGet({ method, fields, version }: RequestHead, { rules }: Site): boolean {
  if (method !== "GET" || (rules.chunked && version === "1.0")) return false;
  return !CONDITIONS.some((name) => fields.has(name));
}

/** Whether the client has this very version and asks for nothing else: what it gets for that is the same for all. */
function isRevalidation({ method, fields }: RequestHead, { facts }: CachedFile): boolean {
  if (method !== "GET" || fields.get("if-none-match") !== formatEntityTag(facts.tag)) return false;
  return !fields.has("if-match") && !fields.has("if-unmodified-since");
}

/** Without TLS, over a network: whoever comes on a Unix socket is a program of this machine that has its reasons. */
function isPlain({ peer }: IncomingRequest): boolean {
  return peer.tls === undefined && peer.address !== "unix";
}

function settled(sending: ReturnType<ResponseWriter["send"]>): void | Promise<void> {
  if (typeof sending !== "string") return sending.then(() => undefined);
}
