/** Errors as the API server words them: a Status body with reason, code and the causes by field. */
import type { JsonObject } from "./json.ts";
import type { ResourceType } from "./resource-types.ts";

/** One thing wrong with one field, in the API server's words, e.g. `Required value`. */
export interface FieldError extends JsonObject {
  reason: "FieldValueRequired" | "FieldValueInvalid" | "FieldValueNotSupported" | "FieldValueForbidden";
  field: string;
  message: string;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: number;
  readonly reason: string;
  readonly details: JsonObject | undefined;

  constructor(code: number, reason: string, message: string, details?: JsonObject) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** The metav1.Status that goes over the wire. */
  toStatus(): JsonObject {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.details ? { details: this.details } : {}),
      code: this.code,
    };
  }
}

const qualified = (type: ResourceType): string => (type.group ? `${type.plural}.${type.group}` : type.plural);
const details = (type: ResourceType, name: string): JsonObject => ({
  name,
  ...(type.group ? { group: type.group } : {}),
  kind: type.plural,
});

export const badRequest = (message: string): ApiError => new ApiError(400, "BadRequest", message);

export const notFound = (type: ResourceType, name: string): ApiError =>
  new ApiError(404, "NotFound", `${qualified(type)} "${name}" not found`, details(type, name));

export const unknownPath = (): ApiError =>
  new ApiError(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExists = (type: ResourceType, name: string): ApiError =>
  new ApiError(409, "AlreadyExists", `${qualified(type)} "${name}" already exists`, details(type, name));

export const conflict = (type: ResourceType, name: string, why: string): ApiError =>
  new ApiError(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(type)} "${name}": ${why}`,
    details(type, name),
  );

export const staleObject = (type: ResourceType, name: string): ApiError =>
  conflict(type, name, "the object has been modified; please apply your changes to the latest version and try again");

export const forbidden = (type: ResourceType, name: string, why: string): ApiError =>
  new ApiError(403, "Forbidden", `${qualified(type)} "${name}" is forbidden: ${why}`, details(type, name));

export const methodNotAllowed = (): ApiError =>
  new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});

export const unsupportedMediaType = (message: string): ApiError =>
  new ApiError(415, "UnsupportedMediaType", message, {});

export const expired = (message: string): ApiError => new ApiError(410, "Expired", message);

/** 422 with every cause, worded `field: message` as the API server does. */
export function invalid(type: ResourceType, name: string, causes: FieldError[]): ApiError {
  const sentences = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const all = sentences.length === 1 ? sentences[0] : `[${sentences.join(", ")}]`;
  const kind = type.group ? `${type.kind}.${type.group}` : type.kind;
  return new ApiError(422, "Invalid", `${kind} "${name}" is invalid: ${all}`, {
    ...details(type, name),
    kind: type.kind,
    causes,
  });
}
