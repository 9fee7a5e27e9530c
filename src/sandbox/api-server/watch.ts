/** A watch: the changes of one kind, filtered, as a stream of JSON lines until the client or its time limit ends it. */
import type { ServerResponse } from "node:http";
import { type Clock, sleep } from "../../kube/clock.ts";
import type { ApiError } from "./errors.ts";
import { expired } from "./errors.ts";
import type { ApiObject, JsonObject } from "./json.ts";
import type { Change, ObjectStore } from "./object-store.ts";

export interface WatchRequest {
  store: ObjectStore;
  storeName: string;
  namespace: string | undefined;
  matches: (object: ApiObject) => boolean;
  /** Undefined or "0": begin with what is there. */
  resourceVersion: string | undefined;
  bookmarks: boolean;
  /** Begin with what is there, then a bookmark that says so (a streaming list). */
  sendInitialEvents: boolean;
  clock: Clock;
  timeoutSeconds: number;
  bookmarkSeconds: number;
  /** The form in which the client wants objects: as they are, or as tables. */
  render: (object: ApiObject) => JsonObject;
  emptyObject: JsonObject;
}

/** Ends when the response is closed. */
export function serveWatch(response: ServerResponse, request: WatchRequest): void {
  response.writeHead(200, { "Content-Type": "application/json", "Transfer-Encoding": "chunked" });
  response.flushHeaders();
  const stream = new WatchStream(response, request);
  if (!stream.begin()) return;
  const unsubscribe = request.store.subscribe((change) => stream.change(change));
  const closed = new AbortController();
  void sendBookmarks(stream, request, closed.signal);
  const end = request.clock.after(request.timeoutSeconds * 1000, () => {
    stream.bookmark();
    response.end();
  });
  response.on("close", () => {
    unsubscribe();
    closed.abort();
    end.cancel();
  });
}

async function sendBookmarks(stream: WatchStream, request: WatchRequest, closed: AbortSignal): Promise<void> {
  while (!closed.aborted) {
    await sleep(request.clock, request.bookmarkSeconds * 1000, closed);
    if (!closed.aborted) stream.bookmark();
  }
}

class WatchStream {
  readonly #response: ServerResponse;
  readonly #request: WatchRequest;

  constructor(response: ServerResponse, request: WatchRequest) {
    this.#response = response;
    this.#request = request;
  }

  /** What lies before the present; false when that cannot be told any more. */
  begin(): boolean {
    const { resourceVersion, sendInitialEvents, store } = this.#request;
    const fromNow = resourceVersion === undefined || resourceVersion === "" || resourceVersion === "0";
    if (fromNow || sendInitialEvents) {
      this.#present();
      return true;
    }
    const missed = store.changesSince(Number(resourceVersion));
    if (!missed) {
      this.#fail(expired(`too old resource version: ${resourceVersion} (${store.compactedRevision})`));
      return false;
    }
    for (const change of missed) this.change(change);
    return true;
  }

  /** A change that makes an object match is an addition, one that makes it no longer match a deletion. */
  change(change: Change): void {
    const { storeName, namespace } = this.#request;
    if (change.store !== storeName) return;
    if (namespace !== undefined && change.object.metadata.namespace !== namespace) return;
    const before = change.previous !== undefined && this.#request.matches(change.previous);
    const after = change.type !== "DELETED" && this.#request.matches(change.object);
    if (after) this.#send(before ? "MODIFIED" : "ADDED", this.#request.render(change.object));
    else if (before) this.#send("DELETED", this.#request.render(change.object));
  }

  bookmark(annotations?: JsonObject): void {
    if (!this.#request.bookmarks) return;
    const metadata: JsonObject = { resourceVersion: String(this.#request.store.revision), creationTimestamp: null };
    if (annotations) metadata.annotations = annotations;
    this.#send("BOOKMARK", { ...this.#request.emptyObject, metadata });
  }

  #present(): void {
    const { store, storeName, namespace, matches, render, sendInitialEvents } = this.#request;
    for (const object of store.list(storeName, namespace)) if (matches(object)) this.#send("ADDED", render(object));
    if (sendInitialEvents) this.bookmark({ "k8s.io/initial-events-end": "true" });
  }

  #fail(error: ApiError): void {
    this.#send("ERROR", error.toStatus());
    this.#response.end();
  }

  #send(type: string, object: JsonObject): void {
    this.#response.write(`${JSON.stringify({ type, object })}\n`);
  }
}
