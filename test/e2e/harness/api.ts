/**
 * The Kubernetes API as the tests see it. It shares nothing with the product's own client, so that a fault there cannot hide
 * itself here.
 */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const CALL_LIMIT_MILLISECONDS = 15_000;

interface Connection {
  server: URL;
  agent: Agent;
}

/** The shape of the kubeconfigs that ../cluster/credentials.ts writes. */
interface Kubeconfig {
  clusters: [{ cluster: { server: string; "certificate-authority-data": string } }];
  users: [{ user: { "client-certificate-data": string; "client-key-data": string } }];
}

export class Api {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async open(kubeconfigFile: string): Promise<Api> {
    const config = JSON.parse(await readFile(kubeconfigFile, "utf8")) as Kubeconfig;
    const { cluster } = config.clusters[0];
    const { user } = config.users[0];
    const agent = new Agent({
      keepAlive: true,
      ca: Buffer.from(cluster["certificate-authority-data"], "base64"),
      cert: Buffer.from(user["client-certificate-data"], "base64"),
      key: Buffer.from(user["client-key-data"], "base64"),
    });
    return new Api({ server: new URL(cluster.server), agent });
  }

  /** The object at a path, or undefined. The caller names its type: the API server is trusted. */
  async get<T>(path: string): Promise<T | undefined> {
    try {
      return await this.#call<T>("GET", path);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  async list<T>(path: string): Promise<T[]> {
    return (await this.#call<{ items: T[] }>("GET", path)).items;
  }

  create<T>(path: string, body: unknown): Promise<T> {
    return this.#call<T>("POST", path, body);
  }

  /** A merge patch. */
  patch<T>(path: string, body: unknown): Promise<T> {
    return this.#call<T>("PATCH", path, body, "application/merge-patch+json");
  }

  /** Resolves also when there is nothing. */
  async delete(path: string, options: { gracePeriodSeconds?: number } = {}): Promise<void> {
    await this.#call("DELETE", path, options).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    });
  }

  /** Hands over each line of an answer that may go on for ever, such as a watch's; resolves when the server ends it. */
  stream(path: string, onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
    const { server, agent } = this.#connection;
    return new Promise((resolve, reject) => {
      const call = request(new URL(path, server), { agent, signal }, (response) => {
        let rest = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          const lines = (rest + text).split("\n");
          rest = lines.pop() ?? "";
          lines.forEach(onLine);
        });
        response.on("error", reject).on("end", resolve);
      });
      call.on("error", reject).end();
    });
  }

  close(): void {
    this.#connection.agent.destroy();
  }

  #call<T>(method: string, path: string, body?: unknown, type = "application/json"): Promise<T> {
    const { server, agent } = this.#connection;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { "Content-Type": type, "Content-Length": Buffer.byteLength(text) };
    return new Promise<T>((resolve, reject) => {
      const signal = AbortSignal.timeout(CALL_LIMIT_MILLISECONDS);
      const call = request(new URL(path, server), { method, agent, headers, signal }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const answer = Buffer.concat(chunks).toString();
          const status = response.statusCode ?? 0;
          if (status < 400) return resolve(JSON.parse(answer) as T);
          reject(new ApiError(status, `${method} ${path}: ${status} ${messageOf(answer)}`));
        });
      });
      call.on("error", reject);
      call.end(text);
    });
  }
}

function messageOf(answer: string): string {
  try {
    return String((JSON.parse(answer) as { message?: string }).message);
  } catch {
    return answer.slice(0, 500);
  }
}

export const podsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;
export const podPath = (namespace: string, name: string): string => `${podsPath(namespace)}/${name}`;
export const allMigrationsPath = "/apis/headroom.dev/v1alpha1/podmigrations";
export const migrationsPath = (namespace: string): string =>
  `/apis/headroom.dev/v1alpha1/namespaces/${namespace}/podmigrations`;
export const migrationPath = (namespace: string, name: string): string => `${migrationsPath(namespace)}/${name}`;
export const policiesPath = "/apis/headroom.dev/v1alpha1/migrationpolicies";
