/** Lists: selection, pages that all come from one moment, and the forms in which clients want them. */
import { expired } from "./errors.ts";
import { fromStored } from "./event-conversion.ts";
import type { ApiObject, JsonObject } from "./json.ts";
import type { ObjectStore } from "./object-store.ts";
import { apiVersionOf, type ResourceType, storeName } from "./resource-types.ts";
import { fieldSelector, labelSelector, type Matcher, selectableFields } from "./selectors.ts";
import { table } from "./tables.ts";

/** How a client wants objects: whole, as a table, or their metadata alone. */
export type Form = { as: "objects" } | { as: "table"; include: string } | { as: "metadata" };

export function formOf(accept: string | undefined, query: URLSearchParams): Form {
  if (/as=Table;/.test(`${accept};`)) return { as: "table", include: query.get("includeObject") ?? "Metadata" };
  if (/as=PartialObjectMetadata(List)?;/.test(`${accept};`)) return { as: "metadata" };
  return { as: "objects" };
}

/** What the query's selectors let through. */
export function matcher(type: ResourceType, query: URLSearchParams): Matcher {
  const labels = labelSelector(query.get("labelSelector") ?? "");
  const fields = fieldSelector(query.get("fieldSelector") ?? "", selectableFields(storeName(type)));
  return (object) => labels(object) && fields(object);
}

interface Page {
  objects: ApiObject[];
  resourceVersion: string;
  compactedAt: number;
}

export class Lists {
  readonly #store: ObjectStore;
  readonly #now: () => number;
  /** What remains of a list that was begun with a limit, by its continue token. */
  readonly #remaining = new Map<string, Page>();
  #tokens = 0;

  constructor(store: ObjectStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  list(type: ResourceType, namespace: string | undefined, query: URLSearchParams, form: Form): JsonObject {
    const page = this.#page(type, namespace, query);
    const limit = Number(query.get("limit") ?? 0);
    const shown = limit > 0 ? page.objects.slice(0, limit) : page.objects;
    const rest = page.objects.slice(shown.length);
    const metadata: JsonObject = { resourceVersion: page.resourceVersion };
    if (rest.length > 0) {
      metadata.continue = this.#remember({ ...page, objects: rest });
      metadata.remainingItemCount = rest.length;
    }
    return renderList(type, shown, metadata, form, this.#now());
  }

  #page(type: ResourceType, namespace: string | undefined, query: URLSearchParams): Page {
    const token = query.get("continue");
    if (token) {
      const page = this.#remaining.get(token);
      if (!page || page.compactedAt !== this.#store.compactedRevision) {
        throw expired(
          "The provided continue parameter is too old to display a consistent list result. Start a new list without it.",
        );
      }
      return page;
    }
    return {
      objects: this.#store.list(storeName(type), namespace).filter(matcher(type, query)),
      resourceVersion: String(this.#store.revision),
      compactedAt: this.#store.compactedRevision,
    };
  }

  #remember(page: Page): string {
    this.#tokens += 1;
    const token = Buffer.from(`${page.resourceVersion}:${this.#tokens}`).toString("base64url");
    this.#remaining.set(token, page);
    const [oldest] = this.#remaining.keys();
    if (this.#remaining.size > 100 && oldest !== undefined) this.#remaining.delete(oldest);
    return token;
  }
}

function renderList(
  type: ResourceType,
  objects: ApiObject[],
  metadata: JsonObject,
  form: Form,
  nowMs: number,
): JsonObject {
  const converted = objects.map((object) => fromStored(type, object));
  if (form.as === "table") return table(type, converted, metadata, { include: form.include, nowMs });
  if (form.as === "metadata") {
    const items = converted.map(metadataOnly);
    return { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items };
  }
  // Items of built-in lists go without kind and apiVersion, those of custom resources with them.
  const items = type.custom ? converted : converted.map(({ apiVersion: _version, kind: _kind, ...item }) => item);
  return { kind: `${type.kind}List`, apiVersion: apiVersionOf(type), metadata, items };
}

const metadataOnly = ({ metadata }: ApiObject): JsonObject => ({
  kind: "PartialObjectMetadata",
  apiVersion: "meta.k8s.io/v1",
  metadata,
});

/** One object in the form that the client wants. */
export function renderObject(
  type: ResourceType,
  object: ApiObject,
  form: Form,
  nowMs: number,
  withColumns = true,
): JsonObject {
  const converted = fromStored(type, object);
  if (form.as === "metadata") return metadataOnly(converted);
  if (form.as === "objects") return converted;
  const metadata = { resourceVersion: object.metadata.resourceVersion };
  return table(type, [converted], metadata, { include: form.include, nowMs, withColumns });
}
