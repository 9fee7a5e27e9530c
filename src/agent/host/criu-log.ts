/** Logged as an error, and gone on from. */
const HARMLESS = /rlimit: Can't setup RLIMIT_NOFILE for self/;

/** The lines of a CRIU log that say what went wrong, for people: at most three, the first errors. */
export function errorsIn(log: string | undefined): string {
  const errors = (log ?? "")
    .split("\n")
    .filter((line) => line.includes("Error (") && !HARMLESS.test(line))
    .map((line) => line.replace(/^\([0-9.]+\)\s*/, "").replace(/^\d+: /, ""));
  return errors.slice(0, 3).join("; ");
}
