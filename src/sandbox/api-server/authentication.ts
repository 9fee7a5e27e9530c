/** Service-account tokens as far as they are needed: TokenRequest makes them, TokenReview tells whose they are. */
import { ApiError, badRequest } from "./errors.ts";
import { arrayAt, type Json, type JsonObject, numberAt, objectAt, stringAt } from "./json.ts";
import type { Registry } from "./registry.ts";

interface Grant {
  namespace: string;
  serviceAccount: string;
  uid: string;
  audiences: string[];
  pod: JsonObject | undefined;
  expiresAtMs: number;
}

const DEFAULT_AUDIENCE = "https://kubernetes.default.svc";

export class Tokens {
  readonly #grants = new Map<string, Grant>();
  readonly #registry: Registry;
  readonly #now: () => number;
  readonly #random: () => string;

  constructor(registry: Registry, now: () => number, random: () => string) {
    this.#registry = registry;
    this.#now = now;
    this.#random = random;
  }

  /** POST …/serviceaccounts/NAME/token. */
  issue(namespace: string, serviceAccount: string, request: JsonObject): JsonObject {
    const account = this.#registry.store.get("serviceaccounts", namespace, serviceAccount);
    if (!account) throw new ApiError(404, "NotFound", `serviceaccounts "${serviceAccount}" not found`);
    const audiences = arrayAt(request, "spec", "audiences").map(String);
    const seconds = numberAt(request, "spec", "expirationSeconds") ?? 3600;
    const grant: Grant = {
      namespace,
      serviceAccount,
      uid: account.metadata.uid,
      audiences: audiences.length > 0 ? audiences : [DEFAULT_AUDIENCE],
      pod: this.#boundPod(namespace, request),
      expiresAtMs: this.#now() + seconds * 1000,
    };
    const token = `sandbox.${this.#random()}`;
    this.#grants.set(token, grant);
    const status = { token, expirationTimestamp: this.#registry.time(seconds) };
    return { ...request, kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1", status };
  }

  /** POST tokenreviews. */
  review(request: JsonObject): JsonObject {
    const wanted = arrayAt(request, "spec", "audiences").map(String);
    const grant = this.#grants.get(stringAt(request, "spec", "token") ?? "");
    const answer = { ...request, kind: "TokenReview", apiVersion: "authentication.k8s.io/v1" };
    return { ...answer, status: grant ? this.#status(grant, wanted) : refused("invalid bearer token") };
  }

  #boundPod(namespace: string, request: JsonObject): JsonObject | undefined {
    const name = stringAt(request, "spec", "boundObjectRef", "name");
    if (!name) return undefined;
    const pod = this.#registry.store.get("pods", namespace, name);
    if (!pod) throw badRequest(`unable to find bound pod ${namespace}/${name}`);
    return pod;
  }

  #status(grant: Grant, wanted: string[]): JsonObject {
    if (grant.expiresAtMs <= this.#now()) return refused("service account token has expired");
    const asked = wanted.length > 0 ? wanted : [DEFAULT_AUDIENCE];
    const audiences = asked.filter((audience) => grant.audiences.includes(audience));
    if (audiences.length === 0) return refused("token audiences are not valid for the target audiences");
    if (grant.pod && !this.#stillThere(grant.pod)) return refused("the pod the token is bound to is gone");
    return { authenticated: true, user: user(grant), audiences };
  }

  #stillThere(pod: JsonObject): boolean {
    const { name, namespace, uid } = objectAt(pod, "metadata");
    return this.#registry.store.get("pods", String(namespace), String(name))?.metadata.uid === uid;
  }
}

const refused = (error: string): JsonObject => ({ authenticated: false, user: {}, error });

function user(grant: Grant): JsonObject {
  const pod = objectAt(grant.pod, "metadata");
  const node = stringAt(grant.pod, "spec", "nodeName");
  const extra: Record<string, Json> = {};
  if (grant.pod) {
    extra["authentication.kubernetes.io/pod-name"] = [String(pod.name)];
    extra["authentication.kubernetes.io/pod-uid"] = [String(pod.uid)];
  }
  if (node) extra["authentication.kubernetes.io/node-name"] = [node];
  return {
    username: `system:serviceaccount:${grant.namespace}:${grant.serviceAccount}`,
    uid: grant.uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${grant.namespace}`, "system:authenticated"],
    extra,
  };
}
