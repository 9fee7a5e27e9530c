/** Log fields as plain JSON values; an error becomes its message, its reason and those of its causes. */
export function plainFields(fields: unknown): Record<string, unknown> {
  if (typeof fields !== "object" || fields === null) return {};
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, value instanceof Error ? describeError(value) : value]),
  );
}

/** `message: cause: cause`, without repeating what a message already contains. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || error.name;
  const cause = error.cause === undefined ? "" : describeError(error.cause);
  return cause === "" || own.includes(cause) ? own : `${own}: ${cause}`;
}
