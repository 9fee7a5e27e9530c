/** The API over HTTP on loopback. Everything is in memory and ends with the process. */
import { randomBytes, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { load } from "js-yaml";
import { type Clock, systemClock } from "../../kube/clock.ts";
import { Tokens } from "./authentication.ts";
import { customTypes, forgetCustomTypes, isCrd, registerCustomTypes } from "./custom-resources.ts";
import { discovery } from "./discovery.ts";
import { ApiError, badRequest, unknownPath, unsupportedMediaType } from "./errors.ts";
import { GarbageCollector } from "./garbage-collector.ts";
import { type Answer, type Backends, type Call, Handlers } from "./handlers.ts";
import { type ApiObject, isObject, type Json, type JsonObject } from "./json.ts";
import { formOf, Lists, matcher, renderObject } from "./lists.ts";
import { ObjectStore } from "./object-store.ts";
import { openapi } from "./openapi.ts";
import { Registry } from "./registry.ts";
import { type ResourceRequest, resourceRequest } from "./request.ts";
import { apiVersionOf, ResourceTypes, storeName } from "./resource-types.ts";
import { serveWatch } from "./watch.ts";

/** What an interceptor may do to a request: let it through, lose it before or after it takes effect, or answer itself. */
export type Interception =
  | "pass"
  | "loseRequest"
  | "loseAnswer"
  | { code: number; headers?: Record<string, string>; body?: JsonObject };

export interface InterceptedRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  watch: boolean;
  /** Who asks, from the User-Agent. */
  userAgent: string;
  /** The bearer token; empty without one. */
  token: string;
}

export interface SandboxOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  clock?: Clock;
  backends?: Backends;
  intercept?: (request: InterceptedRequest) => Interception | Promise<Interception>;
  bookmarkSeconds?: number;
  /** How many changes are kept for watches. */
  historyLimit?: number;
}

const MAX_BODY_BYTES = 3 * 1024 * 1024;
const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

/** Five characters, as Kubernetes appends to generated names. */
function randomSuffix(): string {
  return [...randomBytes(5)].map((byte) => SUFFIX_LETTERS[byte % SUFFIX_LETTERS.length]).join("");
}

export class SandboxApiServer {
  readonly types = new ResourceTypes();
  readonly store: ObjectStore;
  readonly registry: Registry;
  readonly tokens: Tokens;
  /** May be filled in after the start: nodes need the server, the server's proxy needs the nodes. */
  readonly backends: Backends;
  intercept: SandboxOptions["intercept"];
  readonly #server: Server;
  readonly #handlers: Handlers;
  readonly #lists: Lists;
  readonly #options: SandboxOptions;
  readonly #clock: Clock;

  private constructor(options: SandboxOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const now = () => this.#clock.now();
    this.backends = options.backends ?? {};
    this.intercept = options.intercept;
    this.store = new ObjectStore(options.historyLimit === undefined ? {} : { historyLimit: options.historyLimit });
    this.registry = new Registry({ store: this.store, now, uid: randomUUID, suffix: randomSuffix });
    this.tokens = new Tokens(this.registry, now, () => randomBytes(24).toString("base64url"));
    this.#lists = new Lists(this.store, now);
    const { registry, tokens, backends } = this;
    this.#handlers = new Handlers({ registry, lists: this.#lists, tokens, backends, now });
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.keepAliveTimeout = 60_000;
  }

  /** Listens on 127.0.0.1, with the namespaces that every cluster has. */
  static async start(options: SandboxOptions = {}): Promise<SandboxApiServer> {
    const sandbox = new SandboxApiServer(options);
    sandbox.#followStore();
    new GarbageCollector(sandbox.registry, sandbox.types).start();
    for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
      sandbox.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
    }
    await new Promise<void>((resolve, reject) => {
      sandbox.#server.once("error", reject);
      sandbox.#server.listen(options.port ?? 0, "127.0.0.1", () => resolve());
    });
    return sandbox;
  }

  get url(): string {
    // A listening TCP server's address is an AddressInfo.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A kubeconfig for this server, as YAML; interceptors see the token. Plain HTTP on loopback: client-node wants to be told that this is meant. */
  kubeconfig(token?: string): string {
    const name = "headroom-sandbox";
    return [
      "apiVersion: v1",
      "kind: Config",
      `current-context: ${name}`,
      `clusters: [{name: ${name}, cluster: {server: "${this.url}", insecure-skip-tls-verify: true}}]`,
      `contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}}}]`,
      `users: [{name: ${name}, user: ${token === undefined ? "{}" : `{token: ${token}}`}}]`,
      "",
    ].join("\n");
  }

  /** Creates the object, or replaces the one of its name; for setting a scene without HTTP. */
  apply(manifest: JsonObject): ApiObject {
    const type = this.types.ofKind(String(manifest.apiVersion), String(manifest.kind));
    if (!type) throw new Error(`the sandbox knows no ${manifest.kind} of ${manifest.apiVersion}`);
    const metadata = isObject(manifest.metadata) ? manifest.metadata : {};
    const namespace = type.namespaced ? String(metadata.namespace ?? "default") : undefined;
    const name = String(metadata.name);
    if (isCrd(type)) this.#checkCrd(type, manifest);
    if (!this.store.get(storeName(type), namespace, name)) return this.registry.create(type, namespace, manifest);
    return this.registry.patch({ type, namespace, name }, ({ metadata: present }) => ({
      ...manifest,
      metadata: { ...metadata, name, resourceVersion: present.resourceVersion },
    }));
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Breaks every open connection, watches included; new ones are accepted. */
  dropConnections(): void {
    this.#server.closeAllConnections();
  }

  #followStore(): void {
    const crds = this.types.all().find(isCrd);
    if (!crds) return;
    this.store.subscribe((change) => {
      if (change.store === "namespaces" && change.type === "ADDED")
        this.#defaultServiceAccount(change.object.metadata.name);
      if (change.store !== storeName(crds)) return;
      if (change.type === "DELETED") forgetCustomTypes(this.types, change.object);
      else registerCustomTypes(this.types, crds, change.object);
    });
  }

  #defaultServiceAccount(namespace: string): void {
    this.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://sandbox");
    try {
      const body = await readBody(request);
      const verdict = (await this.intercept?.(described(request, url))) ?? "pass";
      if (verdict === "loseRequest") {
        response.destroy();
        return;
      }
      if (typeof verdict === "object") this.#intercepted(response, verdict);
      else this.#route(request, url, body, response, verdict === "loseAnswer");
    } catch (error) {
      this.#fail(response, error);
    }
  }

  #intercepted(response: ServerResponse, verdict: Exclude<Interception, string>): void {
    for (const [name, value] of Object.entries(verdict.headers ?? {})) response.setHeader(name, value);
    const error = new ApiError(
      verdict.code,
      verdict.code === 429 ? "TooManyRequests" : "ServiceUnavailable",
      "intercepted",
    );
    send(response, { code: verdict.code, body: verdict.body ?? error.toStatus() });
  }

  #route(request: IncomingMessage, url: URL, body: string, response: ServerResponse, loseAnswer: boolean): void {
    const resource = resourceRequest(this.types, url.pathname);
    if (!resource) {
      send(response, this.#unversioned(url));
      return;
    }
    const form = formOf(request.headers.accept, url.searchParams);
    if (isWatch(request.method ?? "", resource, url.searchParams)) {
      this.#watch(response, resource, url.searchParams, form);
      return;
    }
    const contentType = (request.headers["content-type"] ?? "application/json").split(";")[0]?.trim() ?? "";
    const call: Call = {
      method: request.method ?? "GET",
      request: resource,
      query: url.searchParams,
      form,
      contentType,
      body: parseBody(body, contentType),
    };
    if (isCrd(resource.type) && ["POST", "PUT"].includes(call.method)) this.#checkCrd(resource.type, call.body);
    const answer = this.#handlers.answer(call);
    if (loseAnswer) response.destroy();
    else send(response, answer);
  }

  #checkCrd(type: ResourceRequest["type"], body: Json | undefined): void {
    // Only its spec and name are looked at.
    if (isObject(body)) customTypes(type, body as ApiObject);
  }

  #unversioned(url: URL): Answer {
    if (["/healthz", "/readyz", "/livez"].includes(url.pathname)) return { code: 200, body: "ok" };
    const answer = discovery(this.types, url.pathname, url.host) ?? openapi(this.types, url.pathname);
    if (!answer) throw unknownPath();
    return { code: 200, body: answer };
  }

  #watch(
    response: ServerResponse,
    request: ResourceRequest,
    query: URLSearchParams,
    form: ReturnType<typeof formOf>,
  ): void {
    const { type, namespace, name } = request;
    const matches = matcher(type, query);
    let first = true;
    serveWatch(response, {
      store: this.store,
      storeName: storeName(type),
      namespace,
      matches: (object) => (name === undefined || object.metadata.name === name) && matches(object),
      resourceVersion: query.get("resourceVersion") ?? undefined,
      bookmarks: query.get("allowWatchBookmarks") === "true",
      sendInitialEvents: query.get("sendInitialEvents") === "true",
      clock: this.#clock,
      timeoutSeconds: Number(query.get("timeoutSeconds") || 1800),
      bookmarkSeconds: this.#options.bookmarkSeconds ?? 30,
      render: (object) => {
        const rendered = renderObject(type, object, form, this.#clock.now(), first);
        first = false;
        return rendered;
      },
      emptyObject:
        form.as === "table"
          ? { kind: "Table", apiVersion: "meta.k8s.io/v1" }
          : { kind: type.kind, apiVersion: apiVersionOf(type) },
    });
  }

  #fail(response: ServerResponse, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const known = error instanceof ApiError ? error : new ApiError(500, "InternalError", `Internal error: ${message}`);
    if (response.headersSent) response.destroy();
    else send(response, { code: known.code, body: known.toStatus() });
  }
}

const isWatch = (method: string, request: ResourceRequest, query: URLSearchParams): boolean =>
  method === "GET" && request.subresource === undefined && ["true", "1"].includes(query.get("watch") ?? "");

const described = (request: IncomingMessage, url: URL): InterceptedRequest => ({
  method: request.method ?? "GET",
  path: url.pathname,
  query: url.searchParams,
  watch: ["true", "1"].includes(url.searchParams.get("watch") ?? ""),
  userAgent: request.headers["user-agent"] ?? "",
  token: request.headers.authorization?.replace(/^Bearer /, "") ?? "",
});

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const data = Buffer.from(chunk);
    bytes += data.length;
    if (bytes > MAX_BODY_BYTES) throw new ApiError(413, "RequestEntityTooLarge", "the request is too large");
    chunks.push(data);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseBody(text: string, contentType: string): Json | undefined {
  if (text.trim() === "") return undefined;
  if (contentType.includes("protobuf")) throw unsupportedMediaType("the sandbox speaks JSON and YAML only");
  try {
    // Both parsers give JSON values.
    return (contentType.includes("yaml") ? load(text) : JSON.parse(text)) as Json;
  } catch (error) {
    throw badRequest(`the request's body cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function send(response: ServerResponse, { code, body, warnings }: Answer): void {
  if (warnings && warnings.length > 0) {
    response.setHeader(
      "Warning",
      warnings.map((warning) => `299 - ${JSON.stringify(warning)}`),
    );
  }
  const plain = typeof body === "string";
  response.writeHead(code, { "Content-Type": plain ? "text/plain" : "application/json" });
  response.end(plain ? body : JSON.stringify(body));
}
