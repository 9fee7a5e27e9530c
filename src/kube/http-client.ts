/** {@link KubeClient} over HTTP. */
import type { KubeConfig } from "@kubernetes/client-node";
import {
  type DeleteOptions,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ListOptions,
  type ListResult,
  type ObjectRef,
  type PatchOptions,
  type ResourceKind,
} from "./client.ts";
import { errorFromAnswer, isMissingObject } from "./errors.ts";
import { collectionPath, describe, objectPath, selectorQuery, withQuery } from "./paths.ts";
import { type Answer, type Call, KubeConfigTransport, type Transport } from "./transport.ts";

export interface HttpKubeClientOptions {
  /** Limit of every call, milliseconds. */
  timeoutMs?: number;
  /** Objects per page of a list. */
  pageSize?: number;
}

/** Who wrote what, in managedFields. */
const FIELD_MANAGER = "headroom";

const PATCH_TYPES = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

interface ListBody<T> {
  items: T[] | null;
  metadata?: { resourceVersion?: string; continue?: string };
}

export class HttpKubeClient implements KubeClient {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #pageSize: number;

  constructor(transport: Transport, options: HttpKubeClientOptions = {}) {
    this.#transport = transport;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#pageSize = options.pageSize ?? 500;
  }

  /** @example const client = HttpKubeClient.of(loadKubeConfig()); */
  static of(config: KubeConfig, options?: HttpKubeClientOptions): HttpKubeClient {
    return new HttpKubeClient(new KubeConfigTransport(config), options);
  }

  async get<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef): Promise<T | undefined> {
    const what = `get ${describe(kind, ref)}`;
    const answer = await this.#send({ what, method: "GET", path: objectPath(kind, ref) });
    return isMissingObject(answer.status, answer.body) ? undefined : parse<T>(what, answer);
  }

  async list<T extends KubeObject>(kind: ResourceKind<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    try {
      return await this.#listPaged(kind, options, this.#pageSize);
    } catch (error) {
      // The continuation grew older than the API server's history: take everything at once.
      if (error instanceof KubeError && error.reason === "Expired") return this.#listPaged(kind, options, undefined);
      throw error;
    }
  }

  async #listPaged<T extends KubeObject>(
    kind: ResourceKind<T>,
    options: ListOptions,
    limit: number | undefined,
  ): Promise<ListResult<T>> {
    const what = `list ${kind.plural}`;
    const items: T[] = [];
    let next: string | undefined;
    let resourceVersion = "";
    do {
      const query = { ...selectorQuery(options), limit, continue: next };
      const path = withQuery(collectionPath(kind, options.namespace), query);
      const page = parse<ListBody<T>>(what, await this.#send({ what, method: "GET", path }));
      for (const item of page.items ?? []) items.push(named(kind, item));
      resourceVersion = page.metadata?.resourceVersion ?? "";
      next = page.metadata?.continue || undefined;
    } while (next !== undefined);
    return { items, resourceVersion };
  }

  async create<T extends KubeObject>(kind: ResourceKind<T>, object: T, options: { dryRun?: boolean } = {}): Promise<T> {
    const what = `create ${describe(kind, object.metadata)}`;
    const path = withQuery(collectionPath(kind, object.metadata.namespace), writeQuery(options));
    return parse<T>(what, await this.#send({ what, method: "POST", path, body: object }));
  }

  async patch<T extends KubeObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    body: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    const what = `patch ${describe(kind, ref)}`;
    const path = withQuery(objectPath(kind, ref, options.subresource), writeQuery(options));
    const contentType = PATCH_TYPES[options.type ?? "merge"];
    return parse<T>(what, await this.#send({ what, method: "PATCH", path, body, contentType }));
  }

  async replaceStatus<T extends KubeObject>(kind: ResourceKind<T>, object: T): Promise<T> {
    const what = `write the status of ${describe(kind, object.metadata)}`;
    const path = withQuery(objectPath(kind, object.metadata, "status"), writeQuery({}));
    return parse<T>(what, await this.#send({ what, method: "PUT", path, body: object }));
  }

  async delete<T extends KubeObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    const what = `delete ${describe(kind, ref)}`;
    const { uid, ...rest } = options;
    const body = { kind: "DeleteOptions", apiVersion: "v1", ...rest, ...(uid ? { preconditions: { uid } } : {}) };
    const answer = await this.#send({ what, method: "DELETE", path: objectPath(kind, ref), body });
    if (!isMissingObject(answer.status, answer.body)) parse<unknown>(what, answer);
  }

  async getRaw(path: string): Promise<unknown> {
    const what = `get ${path}`;
    return parse<unknown>(what, await this.#send({ what, method: "GET", path }));
  }

  #send(call: Omit<Call, "timeoutMs">): Promise<Answer> {
    return this.#transport.send({ ...call, timeoutMs: this.#timeoutMs });
  }
}

function writeQuery(options: { dryRun?: boolean }): Record<string, string | undefined> {
  return { fieldManager: FIELD_MANAGER, dryRun: options.dryRun ? "All" : undefined };
}

/** The API server leaves `kind` and `apiVersion` out of a built-in list's items. */
export function named<T extends KubeObject>(kind: ResourceKind<T>, item: T): T {
  const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
  return item.kind && item.apiVersion ? item : { ...item, kind: kind.kind, apiVersion };
}

/** The API server's answers are taken at their word: it has checked them against the resource's schema. */
function parse<T>(what: string, answer: Answer): T {
  if (answer.status < 200 || answer.status > 299) {
    throw errorFromAnswer(what, answer.status, answer.body, answer.retryAfter);
  }
  try {
    return JSON.parse(answer.body) as T;
  } catch (cause) {
    throw new KubeError("Unknown", `${what}: the answer is not JSON`, { status: answer.status, cause });
  }
}
