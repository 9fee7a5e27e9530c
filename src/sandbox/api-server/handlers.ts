/** One request for a resource, answered: which verb it is, and what comes back with which status code. */
import type { Tokens } from "./authentication.ts";
import { deleteObject, deleteOptions } from "./deletion.ts";
import { badRequest, methodNotAllowed, unknownPath, unsupportedMediaType } from "./errors.ts";
import { fromStored, toStored } from "./event-conversion.ts";
import { type ApiObject, isObject, type Json, type JsonObject, objectAt } from "./json.ts";
import { type Form, type Lists, matcher, renderObject } from "./lists.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "./patch.ts";
import type { Address, Registry, WriteOptions } from "./registry.ts";
import type { ResourceRequest } from "./request.ts";
import { storeName } from "./resource-types.ts";
import { bind, evict, scale, scaleOf, success } from "./subresources.ts";

/** What lies behind the API server: kubelets, asked through the node proxy and for logs. */
export interface Backends {
  /** GET of a kubelet's path, e.g. `stats/summary`; undefined when there is no such node or path. */
  nodeProxy?: (node: string, path: string) => Json | undefined;
  podLog?: (namespace: string, name: string) => string | undefined;
}

export interface Call {
  method: string;
  request: ResourceRequest;
  query: URLSearchParams;
  form: Form;
  contentType: string;
  body: Json | undefined;
}

export interface Answer {
  code: number;
  body: JsonObject | string;
  warnings?: string[];
}

export class Handlers {
  readonly #registry: Registry;
  readonly #lists: Lists;
  readonly #tokens: Tokens;
  readonly #backends: Backends;
  readonly #now: () => number;

  constructor(parts: { registry: Registry; lists: Lists; tokens: Tokens; backends: Backends; now: () => number }) {
    this.#registry = parts.registry;
    this.#lists = parts.lists;
    this.#tokens = parts.tokens;
    this.#backends = parts.backends;
    this.#now = parts.now;
  }

  answer(call: Call): Answer {
    const { request } = call;
    if (request.subresource !== undefined && request.subresource !== "status") return this.#subresource(call);
    if (request.name === undefined) return this.#collection(call);
    return this.#object(call, addressOf(request, request.name));
  }

  #collection(call: Call): Answer {
    const { type, namespace } = call.request;
    if (call.method === "POST") return type.virtual ? this.#question(call) : this.#create(call);
    if (type.virtual) throw methodNotAllowed();
    if (call.method === "GET") return { code: 200, body: this.#lists.list(type, namespace, call.query, call.form) };
    if (call.method === "DELETE") return this.#deleteCollection(call);
    throw methodNotAllowed();
  }

  #object(call: Call, address: Address): Answer {
    switch (call.method) {
      case "GET":
        return this.#rendered(200, call, this.#registry.get(address));
      case "PUT":
        return this.#write(200, call, (options) =>
          this.#registry.update(address, toStored(address.type, bodyObject(call)), options),
        );
      case "PATCH":
        return this.#write(200, call, (options) =>
          this.#registry.patch(address, this.#patcher(call, address), options),
        );
      case "DELETE":
        return this.#delete(call, address);
      default:
        throw methodNotAllowed();
    }
  }

  #create(call: Call): Answer {
    const { type, namespace } = call.request;
    if (type.namespaced && namespace === undefined) throw methodNotAllowed();
    const body = toStored(type, bodyObject(call));
    return this.#write(201, call, (options) => this.#registry.create(type, namespace, body, options));
  }

  #write(code: number, call: Call, write: (options: WriteOptions) => ApiObject): Answer {
    const warnings: string[] = [];
    const written = write(writeOptions(call, (message) => warnings.push(message)));
    return { ...this.#rendered(code, call, written), warnings };
  }

  #patcher(call: Call, address: Address): (present: ApiObject) => JsonObject {
    const change = patchFunction(call, address.type.custom !== undefined);
    return (present) => toStored(address.type, change(fromStored(address.type, present)));
  }

  #delete(call: Call, address: Address): Answer {
    const { object, gone } = deleteObject(this.#registry, address, deleteOptions(optionalBody(call), call.query));
    if (!gone || storeName(address.type) === "pods") return this.#rendered(200, call, object);
    const { group, plural } = address.type;
    const details = { name: object.metadata.name, ...(group ? { group } : {}), kind: plural, uid: object.metadata.uid };
    return { code: 200, body: success(details) };
  }

  #deleteCollection(call: Call): Answer {
    const { type, namespace } = call.request;
    const doomed = this.#registry.store.list(storeName(type), namespace).filter(matcher(type, call.query));
    const options = deleteOptions(optionalBody(call), call.query);
    for (const { metadata } of doomed) {
      deleteObject(this.#registry, { type, namespace: metadata.namespace, name: metadata.name }, options);
    }
    return { code: 200, body: success({ kind: type.plural }) };
  }

  /** Resources that are not stored but answer. */
  #question(call: Call): Answer {
    const body = bodyObject(call);
    if (call.request.type.kind === "TokenReview") return { code: 201, body: this.#tokens.review(body) };
    return { code: 201, body: { ...body, status: { allowed: true, reason: "the sandbox allows everything" } } };
  }

  #subresource(call: Call): Answer {
    const { type, name, namespace, subresource, rest } = call.request;
    if (name === undefined) throw unknownPath();
    const address = addressOf(call.request, name);
    if (type.kind === "Node" && subresource === "proxy" && call.method === "GET") return this.#proxy(name, rest);
    if (subresource === undefined || !type.subresources.includes(subresource)) throw unknownPath();
    if (subresource === "scale") return this.#scale(call, address);
    if (subresource === "log" && call.method === "GET") return this.#log(address);
    if (call.method !== "POST") throw methodNotAllowed();
    const body = bodyObject(call);
    if (subresource === "eviction") return { code: 201, body: evict(this.#registry, address, body) };
    if (subresource === "binding") return { code: 201, body: bind(this.#registry, address, body) };
    return { code: 201, body: this.#tokens.issue(namespace ?? "", name, body) };
  }

  #proxy(node: string, path: string): Answer {
    const answer = this.#backends.nodeProxy?.(node, path);
    if (!isObject(answer)) throw unknownPath();
    return { code: 200, body: answer };
  }

  #log(address: Address): Answer {
    this.#registry.get(address);
    return { code: 200, body: this.#backends.podLog?.(address.namespace ?? "", address.name) ?? "" };
  }

  #scale(call: Call, address: Address): Answer {
    if (call.method === "GET") return { code: 200, body: scaleOf(this.#registry.get(address)) };
    if (call.method === "PUT") return { code: 200, body: scale(this.#registry, address, () => bodyObject(call)) };
    if (call.method !== "PATCH") throw methodNotAllowed();
    return { code: 200, body: scale(this.#registry, address, patchFunction(call, false)) };
  }

  #rendered(code: number, call: Call, object: ApiObject): Answer {
    return { code, body: renderObject(call.request.type, object, call.form, this.#now()) };
  }
}

const addressOf = ({ type, namespace }: ResourceRequest, name: string): Address => ({ type, namespace, name });

function bodyObject(call: Call): JsonObject {
  if (!isObject(call.body)) throw badRequest("the request's body must be an object");
  return call.body;
}

const optionalBody = (call: Call): JsonObject => (isObject(call.body) ? call.body : {});

function writeOptions(call: Call, warn: (message: string) => void): WriteOptions {
  const validation = call.query.get("fieldValidation");
  return {
    dryRun: call.query.get("dryRun") === "All",
    fieldValidation: validation === "Strict" || validation === "Ignore" ? validation : "Warn",
    subresource: call.request.subresource === "status" ? "status" : undefined,
    warn,
  };
}

function patchFunction(call: Call, custom: boolean): (present: JsonObject) => JsonObject {
  const body = call.body ?? {};
  switch (call.contentType) {
    case "application/merge-patch+json":
      return (present) => objectAt(mergePatch(present, body));
    case "application/json-patch+json":
      return (present) => objectAt(jsonPatch(present, body));
    case "application/strategic-merge-patch+json":
      if (!custom) return (present) => objectAt(strategicMergePatch(present, body));
      break;
    default:
      break;
  }
  const accepted = ["application/json-patch+json", "application/merge-patch+json"];
  if (!custom) accepted.push("application/strategic-merge-patch+json");
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );
}
