/** From an HTTP answer or a broken connection to a {@link KubeError}. */
import { KubeError, type KubeErrorReason } from "./client.ts";

/** metav1.Status, as far as Headroom reads it. */
interface StatusBody {
  message?: string;
  reason?: string;
  details?: { name?: string; retryAfterSeconds?: number };
}

const BY_STATUS: Record<number, KubeErrorReason> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  408: "Timeout",
  409: "Conflict",
  410: "Expired",
  422: "Invalid",
  429: "TooManyRequests",
  504: "Timeout",
};

/** The API server says this when it doesn't serve the resource at all, e.g. before its CRD is installed. */
const NO_SUCH_RESOURCE = "the server could not find the requested resource";

/**
 * An answer that isn't a success. `what` names the call ("get Pod default/web-0").
 * @param retryAfter the Retry-After header, in seconds.
 */
export function errorFromAnswer(what: string, status: number, body: string, retryAfter?: string): KubeError {
  const parsed = parseStatus(body);
  const reason = reasonFor(status, parsed);
  const words = parsed?.message ?? (body.trim().slice(0, 200) || `HTTP ${status}`);
  const seconds = Number(retryAfter ?? parsed?.details?.retryAfterSeconds);
  return new KubeError(reason, `${what}: ${words}`, {
    status,
    retryAfterSeconds: Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined,
  });
}

/** True when the object is missing, false when the whole resource is (then the caller must not conclude anything). */
export function isMissingObject(status: number, body: string): boolean {
  if (status !== 404) return false;
  const parsed = parseStatus(body);
  return parsed !== undefined && parsed.message !== NO_SUCH_RESOURCE;
}

/** No answer: refused, reset, not resolvable, or the time limit passed. */
export function errorFromFailure(what: string, server: string, cause: unknown): KubeError {
  if (cause instanceof KubeError) return cause;
  const { name, code } = nameAndCode(cause);
  if (name === "TimeoutError" || /TIMEOUT|ETIMEDOUT/.test(code)) {
    return new KubeError("Timeout", `${what}: no answer from ${server} in time`, { cause });
  }
  const words = cause instanceof Error ? cause.message : String(cause);
  const why = code && !words.includes(code) ? code : words || "connection lost";
  return new KubeError("Unavailable", `${what}: cannot reach ${server}: ${why}`, { cause });
}

function nameAndCode(cause: unknown): { name: string; code: string } {
  if (!(cause instanceof Error)) return { name: "", code: "" };
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  return { name: cause.name, code };
}

function reasonFor(status: number, parsed: StatusBody | undefined): KubeErrorReason {
  if (status === 409 && parsed?.reason === "AlreadyExists") return "AlreadyExists";
  return BY_STATUS[status] ?? (status >= 500 ? "Unavailable" : "Unknown");
}

function parseStatus(body: string): StatusBody | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null || !("kind" in parsed) || parsed.kind !== "Status") {
      return undefined;
    }
    // The kind says that this is a metav1.Status; all its members are optional.
    return parsed as StatusBody;
  } catch {
    return undefined;
  }
}
