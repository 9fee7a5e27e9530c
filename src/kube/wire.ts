/**
 * A Kubernetes type as it travels: times are RFC 3339 strings. client-node's models declare them as Date, which
 * they only are after its own deserialiser; Headroom works on the JSON as it is.
 */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T;
