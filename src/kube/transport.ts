/**
 * The way to the API server: client-node's KubeConfig says where it is and who we are (client certificates, exec
 * plugins, the in-cluster token, which it reads again every minute); undici keeps the connections.
 */
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { type Dispatcher, Pool, ProxyAgent } from "undici";
import { errorFromFailure } from "./errors.ts";

export interface Answer {
  status: number;
  body: string;
  /** Seconds or a date, as it came. */
  retryAfter: string | undefined;
}

export interface Stream {
  status: number;
  retryAfter: string | undefined;
  body: AsyncIterable<Uint8Array>;
}

export interface Call {
  /** For messages: "get Pod default/web-0". */
  what: string;
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  path: string;
  body?: unknown;
  contentType?: string;
  timeoutMs: number;
}

export interface Transport {
  /** The API server's URL, for messages. */
  readonly server: string;
  /** Any HTTP answer resolves; no answer rejects with a KubeError (`Timeout`, `Unavailable`). */
  send(call: Call): Promise<Answer>;
  /** An answer whose body is read as it comes; the signal ends it. Silence is the reader's business. */
  stream(what: string, path: string, signal: AbortSignal): Promise<Stream>;
  close(): Promise<void>;
}

interface Authenticated {
  headers: Record<string, string>;
  dispatcher: Dispatcher;
}

/**
 * A connection that is begun while the way is cut off is only tried again by TCP after 1, 3, 7 and 15 s, and requests wait for it: a new one gets
 * through sooner. A frozen pod may wait for the next leader's first answer.
 */
const CONNECT_MS = 3_000;

/** @param userAgent sent with every request, so that the API server's logs and metrics name Headroom. */
export class KubeConfigTransport implements Transport {
  readonly server: string;
  readonly #config: KubeConfig;
  readonly #userAgent: string;
  #dispatcher: { key: string; dispatcher: Dispatcher } | undefined;

  constructor(config: KubeConfig, userAgent = "headroom") {
    this.#config = withPlainHttpAllowed(config);
    this.#userAgent = userAgent;
    const cluster = this.#config.getCurrentCluster();
    if (!cluster) throw new Error("the kubeconfig names no cluster: set KUBECONFIG or choose a context");
    this.server = cluster.server.replace(/\/+$/, "");
  }

  async send(call: Call): Promise<Answer> {
    try {
      return await this.#send(call);
    } catch (error) {
      // A kept-alive connection that the server had just closed. Reading twice does no harm.
      if (call.method !== "GET" || !isStaleConnection(error)) throw errorFromFailure(call.what, this.server, error);
    }
    return this.#send(call).catch((error: unknown) => {
      throw errorFromFailure(call.what, this.server, error);
    });
  }

  async #send(call: Call): Promise<Answer> {
    const { headers, dispatcher } = await this.#authenticate();
    if (call.body !== undefined) headers["content-type"] = call.contentType ?? "application/json";
    const answer = await dispatcher.request({
      ...this.#target(call.path),
      method: call.method,
      headers,
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal: AbortSignal.timeout(call.timeoutMs),
    });
    const body = await answer.body.text();
    return { status: answer.statusCode, body, retryAfter: oneHeader(answer.headers["retry-after"]) };
  }

  async stream(what: string, path: string, signal: AbortSignal): Promise<Stream> {
    try {
      const { headers, dispatcher } = await this.#authenticate();
      const answer = await dispatcher.request({
        ...this.#target(path),
        method: "GET",
        headers,
        signal,
        bodyTimeout: 0,
      });
      return { status: answer.statusCode, retryAfter: oneHeader(answer.headers["retry-after"]), body: answer.body };
    } catch (error) {
      throw errorFromFailure(what, this.server, error);
    }
  }

  async close(): Promise<void> {
    await this.#dispatcher?.dispatcher.destroy();
    this.#dispatcher = undefined;
  }

  #target(path: string): { origin: string; path: string } {
    const base = new URL(this.server);
    return { origin: base.origin, path: base.pathname.replace(/\/$/, "") + path };
  }

  async #authenticate(): Promise<Authenticated> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = { accept: "application/json", "user-agent": this.#userAgent };
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value !== undefined) headers[name.toLowerCase()] = String(value).trim();
    }
    if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
    return { headers, dispatcher: this.#dispatcherFor(options) };
  }

  /** One pool for as long as the certificates stay the same (exec plugins renew them). */
  #dispatcherFor(options: RequestOptions): Dispatcher {
    const tls = tlsOptions(options);
    const key = fingerprint(tls);
    if (this.#dispatcher?.key === key) return this.#dispatcher.dispatcher;
    // What still runs on the old connections may end there.
    this.#dispatcher?.dispatcher.close().catch(() => {});
    const dispatcher = this.#connect(tls);
    this.#dispatcher = { key, dispatcher };
    return dispatcher;
  }

  #connect(tls: Record<string, unknown>): Dispatcher {
    const proxy = this.#config.getCurrentCluster()?.proxyUrl;
    if (proxy) return new ProxyAgent({ uri: proxy, requestTls: tls, allowH2: false });
    return new Pool(new URL(this.server).origin, {
      // One request per connection: a reset then hits one watch, not all of them.
      allowH2: false,
      connect: { ...tls, timeout: CONNECT_MS, keepAlive: true, keepAliveInitialDelay: 30_000 },
      keepAliveTimeout: 30_000,
    });
  }
}

function tlsOptions(options: RequestOptions): Record<string, unknown> {
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  const all = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function fingerprint(tls: Record<string, unknown>): string {
  const parts = Object.entries(tls).map(([name, value]) => [
    name,
    Buffer.isBuffer(value) ? value.toString("latin1") : value,
  ]);
  return parts.map((part) => part.join("=")).join("\n");
}

/** client-node refuses http:// servers unless TLS verification is off, which means nothing there. */
function withPlainHttpAllowed(config: KubeConfig): KubeConfig {
  const cluster = config.getCurrentCluster();
  if (!cluster?.server.startsWith("http:") || cluster.skipTLSVerify) return config;
  const copy = new KubeConfig();
  copy.loadFromOptions({
    clusters: config.getClusters().map((c) => (c.name === cluster.name ? { ...c, skipTLSVerify: true } : c)),
    users: config.getUsers(),
    contexts: config.getContexts(),
    currentContext: config.getCurrentContext(),
  });
  return copy;
}

function isStaleConnection(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}

function oneHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
