/** What went wrong with InfluxDB, as a sentence that holds no credential. */
import { AbortError, HttpError, RequestTimedOutError } from "@influxdata/influxdb-client";
import type { InfluxConnection } from "../../config/controller-config.ts";
import type { MetricsUnavailable, UnavailableReason } from "../source.ts";

const MAX_DETAIL = 200;

/** Thrown by the row readers: the answer isn't what was asked for. */
export class BadAnswerError extends Error {
  override readonly name = "BadAnswerError";
}

/** Thrown when the time limit of a collection has passed. */
export class CollectTimeoutError extends Error {
  override readonly name = "CollectTimeoutError";
}

export function describeFailure(error: unknown, connection: InfluxConnection): MetricsUnavailable {
  const at = `InfluxDB at ${placeOf(connection.url)}`;
  if (error instanceof HttpError) return describeStatus(error, at, connection);
  if (error instanceof CollectTimeoutError || error instanceof RequestTimedOutError) {
    return { reason: "Timeout", message: `${at} did not answer in time` };
  }
  const detail = redact(messageOf(error), connection);
  if (error instanceof BadAnswerError) return { reason: "BadAnswer", message: `${at} gave a bad answer: ${detail}` };
  if (error instanceof AbortError) return { reason: "Unreachable", message: `${at} broke off its answer` };
  return { reason: "Unreachable", message: `${at} can't be reached: ${detail}` };
}

function describeStatus(error: HttpError, at: string, connection: InfluxConnection): MetricsUnavailable {
  const status = error.statusCode;
  const detail = redact(error.message, connection);
  if (status === 401 || status === 403) {
    return {
      reason: "Unauthorized",
      message: `${at} refuses the token (INFLUXDB_TOKEN) for bucket ${connection.bucket}: ${detail}`,
    };
  }
  // InfluxDB 2.7 answers 400 for an unknown organisation.
  if (status === 404 || (status === 400 && /organization.* not found/.test(error.message))) {
    return {
      reason: "NotFound",
      message: `${at} knows no organisation ${connection.org} with a bucket ${connection.bucket}: ${detail}`,
    };
  }
  const reason: UnavailableReason = status === 429 || status >= 500 ? "Unreachable" : "BadAnswer";
  return { reason, message: `${at} answered ${status}: ${detail}` };
}

/** Scheme, host and port: whatever else is in a URL may be secret. */
function placeOf(url: string): string {
  return new URL(url).origin;
}

function redact(text: string, { token }: InfluxConnection): string {
  const clean = token.hideIn(text).replace(/\s+/g, " ");
  return clean.length > MAX_DETAIL ? `${clean.slice(0, MAX_DETAIL)}…` : clean;
}

/** Connecting to several addresses fails with one error each and an empty message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
