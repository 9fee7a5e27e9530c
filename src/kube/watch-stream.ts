/** A watch's body: one JSON object per line. */
import { KubeError, type KubeObject } from "./client.ts";

export type WatchLine =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: KubeObject; resourceVersion: string }
  | { type: "BOOKMARK"; resourceVersion: string }
  /** `status` and `body` as if they were an HTTP answer of their own. */
  | { type: "ERROR"; status: number; body: string };

/** Whole lines only: what a broken connection leaves of a last one is dropped. `heard` is called for every chunk. */
export async function* linesOf(body: AsyncIterable<Uint8Array>, heard: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    heard();
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield line;
  }
}

/** Throws a KubeError when the line is no watch event: an event may be lost, so the stream can't be trusted further. */
export function parseWatchLine(what: string, text: string): WatchLine {
  const { type, object } = parseJson(what, text);
  if (type === "ERROR") {
    const code = typeof object === "object" && object !== null && "code" in object ? Number(object.code) : Number.NaN;
    return { type, status: code || 500, body: JSON.stringify(object) };
  }
  const resourceVersion = versionOf(object);
  if (resourceVersion !== undefined) {
    if (type === "BOOKMARK") return { type, resourceVersion };
    if ((type === "ADDED" || type === "MODIFIED" || type === "DELETED") && isNamed(object)) {
      return { type, object, resourceVersion };
    }
  }
  throw unreadable(what, text);
}

function parseJson(what: string, text: string): { type?: unknown; object?: unknown } {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch {
    // Said below, with the line.
  }
  throw unreadable(what, text);
}

function unreadable(what: string, text: string): KubeError {
  return new KubeError("Unavailable", `${what}: not a watch event: ${text.slice(0, 80)}`);
}

function metadataOf(object: unknown): Record<string, unknown> | undefined {
  if (typeof object !== "object" || object === null || !("metadata" in object)) return undefined;
  const { metadata } = object;
  return typeof metadata === "object" && metadata !== null ? { ...metadata } : undefined;
}

function versionOf(object: unknown): string | undefined {
  const version = metadataOf(object)?.resourceVersion;
  return typeof version === "string" && version !== "" ? version : undefined;
}

function isNamed(object: unknown): object is KubeObject {
  return typeof metadataOf(object)?.name === "string";
}
