/** The API server that a contract is put to: the sandbox, or a real one named by HEADROOM_CONTRACT_KUBECONFIG. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import type { Json, JsonObject } from "../../src/sandbox/api-server/json.ts";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";

export interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: JsonObject;
}

export interface Call {
  body?: Json;
  contentType?: string;
  accept?: string;
}

export interface WatchEvent {
  type: string;
  object: JsonObject;
}

export class Api {
  readonly #config: KubeConfig;
  readonly #sandbox: SandboxApiServer | undefined;

  private constructor(config: KubeConfig, sandbox: SandboxApiServer | undefined) {
    this.#config = config;
    this.#sandbox = sandbox;
  }

  static async open(): Promise<Api> {
    const config = new KubeConfig();
    const real = process.env.HEADROOM_CONTRACT_KUBECONFIG;
    if (real) {
      config.loadFromFile(real);
      return new Api(config, undefined);
    }
    const sandbox = await SandboxApiServer.start({ bookmarkSeconds: 0.05 });
    config.loadFromString(sandbox.kubeconfig());
    return new Api(config, sandbox);
  }

  get real(): boolean {
    return this.#sandbox === undefined;
  }

  /** Only the sandbox can be made to forget its history. */
  compact(): void {
    this.#sandbox?.store.compact();
  }

  async close(): Promise<void> {
    await this.#sandbox?.close();
  }

  async call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const response = await this.#open(method, path, call);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks).toString("utf8");
    const json = response.headers["content-type"]?.includes("json") ?? false;
    return { status: response.statusCode ?? 0, headers: response.headers, body: json ? JSON.parse(text) : { text } };
  }

  get(path: string, accept?: string): Promise<Answer> {
    return this.call("GET", path, accept === undefined ? {} : { accept });
  }

  post(path: string, body: Json): Promise<Answer> {
    return this.call("POST", path, { body });
  }

  put(path: string, body: Json): Promise<Answer> {
    return this.call("PUT", path, { body });
  }

  patch(path: string, body: Json, kind: "merge" | "json" | "strategic-merge" = "merge"): Promise<Answer> {
    return this.call("PATCH", path, { body, contentType: `application/${kind}-patch+json` });
  }

  delete(path: string, body?: Json): Promise<Answer> {
    return this.call("DELETE", path, body === undefined ? {} : { body });
  }

  /** The events of a watch until `enough` of them are there, or the watch ends. */
  async watch(path: string, enough: (events: WatchEvent[]) => boolean, begun?: () => unknown): Promise<WatchEvent[]> {
    const response = await this.#open("GET", path, {});
    await begun?.();
    const events: WatchEvent[] = [];
    let rest = "";
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      events.push(...lines.filter(Boolean).map((line): WatchEvent => JSON.parse(line)));
      if (enough(events)) break;
    }
    response.destroy();
    return events;
  }

  async #open(method: string, path: string, call: Call): Promise<IncomingMessage> {
    const cluster = this.#config.getCurrentCluster();
    if (!cluster) throw new Error("the kubeconfig names no cluster");
    const url = new URL(path, cluster.server);
    const options = { method, headers: headersOf(call), timeout: 60_000 };
    await this.#config.applyToHTTPSOptions(options);
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    return await new Promise((resolve, reject) => {
      const request = send(url, options, resolve);
      request.on("error", reject);
      request.on("timeout", () => request.destroy(new Error(`${method} ${path}: no answer`)));
      request.end(bodyOf(call));
    });
  }
}

const bodyOf = (call: Call): string | undefined => (call.body === undefined ? undefined : JSON.stringify(call.body));

function headersOf(call: Call): Record<string, string> {
  const body = bodyOf(call);
  const accept = { Accept: call.accept ?? "application/json" };
  if (body === undefined) return accept;
  const length = String(Buffer.byteLength(body));
  return { ...accept, "Content-Type": call.contentType ?? "application/json", "Content-Length": length };
}
