/** InfluxDB 2 on the host, reached by the nodes over the bridge. It can be stopped and started again with its data. */
import { join } from "node:path";
import { createCgroup, destroyCgroup } from "./cgroups.ts";
import { startDaemon } from "./daemons.ts";
import type { TelegrafOutput } from "./node-services.ts";
import type { Programs } from "./programs.ts";
import type { Settings } from "./settings.ts";
import { waitFor } from "./wait.ts";

export function influxOutput(settings: Settings): TelegrafOutput {
  const url = `http://${settings.hostAddress}:${settings.influxPort}`;
  return { url, org: "e2e", bucket: "default", token: "e2e-token-of-a-database-that-lives-for-minutes" };
}

function influxCgroup(settings: Settings): string {
  return `${settings.cgroup}/influxdb`;
}

export async function startInfluxdb(settings: Settings, programs: Programs): Promise<void> {
  const folder = join(settings.folder, "influxdb");
  await createCgroup(influxCgroup(settings));
  const command = [
    join(programs.influxdb, "influxd"),
    `--bolt-path=${folder}/influxd.bolt`,
    `--engine-path=${folder}/engine`,
    `--sqlite-path=${folder}/influxd.sqlite`,
    `--http-bind-address=${settings.hostAddress}:${settings.influxPort}`,
    "--reporting-disabled",
  ];
  const logFile = join(settings.folder, "logs", "influxd.log");
  await startDaemon(command, { cgroup: influxCgroup(settings), logFile, env: { HOME: folder } });
  const { url } = influxOutput(settings);
  await waitFor("InfluxDB to answer", 60, async () => {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) });
    return answer.ok;
  });
}

/** First start only: the organisation, the bucket and the token. */
export async function setUpInfluxdb(settings: Settings): Promise<void> {
  const { url, org, bucket, token } = influxOutput(settings);
  const answer = await fetch(`${url}/api/v2/setup`, {
    method: "POST",
    body: JSON.stringify({ username: "e2e", password: "e2e-password", org, bucket, token }),
    signal: AbortSignal.timeout(20_000),
  });
  if (!answer.ok) throw new Error(`InfluxDB could not be set up: HTTP ${answer.status} ${await answer.text()}`);
}

/** Ends it at once, as a crash would; the data stays. */
export async function stopInfluxdb(settings: Settings): Promise<void> {
  await destroyCgroup(influxCgroup(settings));
}

/** Rows of a Flux query, as InfluxDB's annotated CSV gives them. */
export async function queryInfluxdb(settings: Settings, flux: string): Promise<Record<string, string>[]> {
  const { url, org, token } = influxOutput(settings);
  const answer = await fetch(`${url}/api/v2/query?org=${org}`, {
    method: "POST",
    headers: { Authorization: `Token ${token}`, "Content-Type": "application/vnd.flux", Accept: "text/csv" },
    body: flux,
    signal: AbortSignal.timeout(10_000),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`InfluxDB refused a query: HTTP ${answer.status} ${text}`);
  return text.split("\r\n\r\n").flatMap(parseTable);
}

/** One table without quoted commas, which these queries never give. */
function parseTable(text: string): Record<string, string>[] {
  const [head, ...rows] = text.trim().split("\r\n");
  if (!head) return [];
  const names = head.split(",");
  return rows.map((row) => Object.fromEntries(row.split(",").map((value, index) => [names[index] ?? "", value])));
}
