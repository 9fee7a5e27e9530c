/** Logged as an error, and gone on from. */
const HARMLESS = /rlimit: Can't setup RLIMIT_NOFILE for self/;

/** What a dump or a restore refuses whenever it is tried, because of what something is. CRIU's own words. */
const KINDS = [
  /(?<!Operation|Protocol|family|Socket type) not supported|[Uu]nsupported/, // but for the kernel's own words: they may be about this node
  /Can't dump (file|ghost file|nested|corked|half of|name-less|that handle|.* with filter)/,
  /Can't handle non-regular mapping|Unknown (inet socket|socket family|file lock)/,
  /has bad size/,
];

/** Does the log name a thing that cannot be carried, rather than a fault, a limit or a lack? */
export function namesAKind(log: string | undefined): boolean {
  const errors = errorsIn(log);
  return KINDS.some((kind) => kind.test(errors));
}

/** The lines of a CRIU log that say what went wrong, for people: at most three, the first errors. */
export function errorsIn(log: string | undefined): string {
  const errors = (log ?? "")
    .split("\n")
    .filter((line) => line.includes("Error (") && !HARMLESS.test(line))
    .map((line) => line.replace(/^\([0-9.]+\)\s*/, "").replace(/^\d+: /, ""));
  return errors.slice(0, 3).join("; ");
}
