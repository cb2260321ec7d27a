/** A request from start to end: the gates, its resource, its plan, its response. */
import type { Clock } from "../base/clock.ts";
import { toUnixSeconds, type UnixSeconds } from "../base/units.ts";
import { formatEntityTag } from "../http/entity-tag.ts";
import type {
  ExchangeRecord,
  IncomingRequest,
  Refusal,
  ResponseWriter,
  SendOutcome,
  Service,
} from "../http/exchange.ts";
import { isGetOrHead, type RequestHead } from "../http/request-head.ts";
import { MessageMemo } from "../http/response-head.ts";
import type { BodyPlan, ResponsePlan } from "../http/response-plan.ts";
import type { RefusalReport } from "../observe/refusal-report.ts";
import type { CachedVariant } from "./file-cache.ts";
import { loadErrorPage, release } from "./find-file.ts";
import { allowedMethods, type GateOptions, makeGates, passGates } from "./gates.ts";
import { type LocateContext, locate } from "./locate.ts";
import { withErrorPage } from "./plan-page.ts";
import { hstsField, planRefusal, planResponse, withField, withServerField } from "./plan-response.ts";
import type { Resource } from "./resource.ts";
import type { Site } from "./site.ts";
import { chooseSite } from "./site.ts";
import { ACCEPT_POST, acceptUpload, takesUploads } from "./upload.ts";

export interface ServeOptions extends GateOptions {
  readonly locating: LocateContext;
  readonly clock: Clock;
  /** The Server field; empty omits it. */
  readonly server: string;
  /** Random, made at start: see `PlanContext`. */
  readonly boundaryNonce: string;
  readonly refusals: RefusalReport;
  record(exchange: ExchangeRecord): void;
}

/** With any of these the response to a GET may differ from the whole file. */
const CONDITIONS = ["range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since"] as const;

export function createService(options: ServeOptions): Service {
  const { sites, locating, clock, tls } = options;
  const gates = makeGates(options);
  const hsts = tls === undefined || tls.hsts === 0 ? undefined : hstsField(tls.hsts);

  function answer(request: IncomingRequest, writer: ResponseWriter): void | Promise<void> {
    const passage = passGates(gates, request);
    if (passage.kind === "stopped") {
      if (passage.report !== undefined) options.refusals.add(passage.report);
      return answerWith(passage.resource, passage.site, request, writer);
    }
    const { site } = passage;
    const { head } = request;
    if (isGetOrHead(head.method)) {
      const cached = locating.files.lookup(site, head.path);
      if (cached !== undefined) return settled(writer.send(planCached(cached.identity, site, request)));
    }
    const resource = find(site, request);
    if (resource instanceof Promise) return resource.then((found) => answerWith(found, site, request, writer));
    return answerWith(resource, site, request, writer);
  }

  /** By method, after the gates: POST passes them only where it uploads. */
  function find(site: Site, request: IncomingRequest): Resource | Promise<Resource> {
    const { head } = request;
    if (isGetOrHead(head.method)) return locate(locating, site, request);
    return head.method === "OPTIONS" ? describeOptions(site, head) : acceptUpload(locating, site, request);
  }

  function answerWith(
    resource: Resource,
    site: Site | undefined,
    request: IncomingRequest,
    writer: ResponseWriter,
  ): void | Promise<void> {
    if (site !== undefined) report(resource, site, request);
    let sending: ReturnType<ResponseWriter["send"]>;
    try {
      sending = writer.send(plan(request, resource, site));
    } catch (fault) {
      release(resource);
      throw fault;
    }
    if (typeof sending === "string") {
      release(resource);
      return;
    }
    return sending.then((outcome) => reportOutcome(outcome, request)).finally(() => release(resource));
  }

  function planCached(file: CachedVariant, site: Site, request: IncomingRequest): ResponsePlan {
    // Kept plans have the field that such a client must not get: a local one, since others are redirected.
    if (hsts !== undefined && request.peer.tls === undefined) return plan(request, fileInMemory(file), site);
    if (!isCommonGet(request.head, site)) return planUncommon(file, site, request);
    if (file.plan !== undefined) return file.plan;

    const planned = plan(request, fileInMemory(file), site);
    // A date that is not past is dated back to a second ago: such a plan is valid for one response only.
    return (file.facts.modified ?? 0) < now() ? keepPlan(file, planned) : planned;
  }

  function planUncommon(file: CachedVariant, site: Site, request: IncomingRequest): ResponsePlan {
    if (!isRevalidation(request.head, file)) return plan(request, fileInMemory(file), site);
    if (file.notModified === undefined) {
      const planned = plan(request, fileInMemory(file), site);
      file.notModified = withMemo(planned, planned.body, new MessageMemo());
    }
    return file.notModified;
  }

  /** @param site  undefined when there is none or it is uncertain */
  function plan({ head, peer }: IncomingRequest, resource: Resource, site: Site | undefined): ResponsePlan {
    const context = { now: now(), boundaryNonce: options.boundaryNonce, chunked: site?.rules.chunked ?? false };
    const planned = complete(planResponse(head, resource, context), site);
    if (hsts === undefined || peer.tls === undefined || site === undefined) return planned;
    return withField(planned, hsts);
  }

  function planRefusedRequest(refusal: Refusal, head: RequestHead | undefined): ResponsePlan {
    const choice = chooseSite(sites, head?.host);
    return complete(planEarlyRefusal(refusal, head), choice.kind === "site" ? choice.site : undefined);
  }

  /** What the protocol itself refuses; two statuses need a field of their own (RFC 9110 §15.5.6, §15.6.4). */
  function planEarlyRefusal(refusal: Refusal, head: RequestHead | undefined): ResponsePlan {
    const plan = planRefusal(refusal, head);
    if (refusal.status === 405) return withField(plan, { name: "Allow", value: allowedMethods(false) });
    if (refusal.status !== 503) return plan;
    return withField(plan, { name: "Retry-After", value: String(locating.retryAfter) });
  }

  function complete(plan: ResponsePlan, site: Site | undefined): ResponsePlan {
    const page = site && loadErrorPage(locating, site, plan.status);
    return withServerField(page === undefined ? plan : withErrorPage(plan, page), options.server);
  }

  function now(): UnixSeconds {
    return toUnixSeconds(clock.wall());
  }

  function reportOutcome(outcome: SendOutcome, { head, peer }: IncomingRequest): void {
    if (typeof outcome === "object")
      options.refusals.add(`cannot send ${head.path} to ${peer.address}: ${outcome.why}`);
  }

  function report(resource: Resource, site: Site, { head, peer }: IncomingRequest): void {
    if (resource.kind !== "refused" && resource.kind !== "busy") return;
    if (resource.kind === "busy" && resource.fault !== undefined) {
      options.refusals.add(`cannot read ${head.path}: ${resource.fault}`);
      return;
    }
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

/** The plan keeps its finished message; other references to the content are replaced by that message's end. */
function keepPlan(file: CachedVariant, planned: ResponsePlan): ResponsePlan {
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

function describeOptions({ rules }: Site, { path }: RequestHead): Resource {
  const isForUploads = takesUploads(rules, path);
  const allow = allowedMethods(isForUploads);
  return isForUploads ? { kind: "options", allow, acceptPost: ACCEPT_POST } : { kind: "options", allow };
}

function fileInMemory({ facts, bytes }: CachedVariant): Resource {
  return { kind: "file", facts, content: { kind: "memory", bytes } };
}

/** Whether all such requests get the same response. HTTP/1.0 has no chunked coding and is planned separately there. */
function isCommonGet({ method, fields, version }: RequestHead, { rules }: Site): boolean {
  if (method !== "GET" || (rules.chunked && version === "1.0")) return false;
  return !CONDITIONS.some((name) => fields.has(name));
}

/** Whether the client has this version and asks for nothing else: all such requests get the same response. */
function isRevalidation({ method, fields }: RequestHead, { facts }: CachedVariant): boolean {
  if (method !== "GET" || fields.get("if-none-match") !== formatEntityTag(facts.tag)) return false;
  return !fields.has("if-match") && !fields.has("if-unmodified-since");
}

function settled(sending: ReturnType<ResponseWriter["send"]>): void | Promise<void> {
  if (typeof sending !== "string") return sending.then(() => undefined);
}
