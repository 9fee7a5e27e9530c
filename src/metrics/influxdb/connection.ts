/** Where InfluxDB is and who asks; from the environment (INFLUXDB_URL, INFLUXDB_ORG, INFLUXDB_BUCKET, INFLUXDB_TOKEN). */
import { z } from "zod";
import type { MetricsUnavailable } from "../source.ts";

export interface InfluxConnection {
  url: string;
  org: string;
  bucket: string;
  /** Never written to a log, an error or a status. */
  token: string;
}

const VARIABLES = {
  url: "INFLUXDB_URL",
  org: "INFLUXDB_ORG",
  bucket: "INFLUXDB_BUCKET",
  token: "INFLUXDB_TOKEN",
} as const;

const connectionSchema = z.object({
  url: z.url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" }),
  org: z.string().min(1),
  bucket: z.string().min(1),
  token: z.string().regex(/^[\x21-\x7e]+$/, "must be one line without blanks"),
});

export type ConnectionResult = { ok: true; connection: InfluxConnection } | { ok: false; error: MetricsUnavailable };

/** All four variables, or one line that names what is missing or wrong (and never says what a wrong value was). */
export function influxConnectionFromEnv(env: Record<string, string | undefined>): ConnectionResult {
  const missing = Object.values(VARIABLES).filter((name) => !env[name]?.trim());
  if (missing.length > 0) return notConfigured(`not set: ${missing.join(", ")}`);
  const parsed = connectionSchema.safeParse({
    url: env[VARIABLES.url]?.trim(),
    org: env[VARIABLES.org]?.trim(),
    bucket: env[VARIABLES.bucket]?.trim(),
    token: env[VARIABLES.token]?.trim(),
  });
  if (parsed.success) return { ok: true, connection: parsed.data };
  return notConfigured(parsed.error.issues.map(describe).join("; "));
}

/** True when any of the variables is set: the user means to use InfluxDB. */
export function influxIsWanted(env: Record<string, string | undefined>): boolean {
  return Object.values(VARIABLES).some((name) => env[name] !== undefined && env[name] !== "");
}

function describe(issue: z.core.$ZodIssue): string {
  const field = issue.path[0];
  const name = Object.entries(VARIABLES).find(([key]) => key === field)?.[1] ?? "InfluxDB";
  return `${name} ${issue.message}`;
}

function notConfigured(what: string): ConnectionResult {
  return { ok: false, error: { reason: "NotConfigured", message: `InfluxDB is not configured: ${what}` } };
}
