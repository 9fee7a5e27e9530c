/** The controller's configuration. */
import type { Share } from "../controllers/roll-out/decide.ts";
import type { Secret } from "./secret.ts";
import * as setting from "./settings.ts";

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const logSettings = {
  logLevel: setting.oneOf(
    { env: "LOG_LEVEL", flag: "--log-level <level>", description: `how much to log: ${LOG_LEVELS.join(", ")}` },
    LOG_LEVELS,
    "info",
  ),
  logFormat: setting.oneOf(
    { env: "LOG_FORMAT", flag: "--log-format <format>", description: "json, pretty, or auto: pretty on a terminal" },
    ["auto", "json", "pretty"],
    "auto",
  ),
};

export const controllerSettings = {
  ...logSettings,
  kubeconfig: setting.text({
    env: "KUBECONFIG",
    flag: "--kubeconfig <file>",
    description: "kubeconfig file; in a cluster the pod's service account is used",
  }),
  context: setting.text({ env: "KUBE_CONTEXT", flag: "--context <name>", description: "context of the kubeconfig" }),
  namespace: setting.textOr(
    { env: "POD_NAMESPACE", flag: "--namespace <name>", description: "Headroom's own namespace" },
    "headroom-system",
  ),
  podName: setting.text({ env: "POD_NAME", description: "this pod's name, part of the lease's holder" }),
  httpPort: setting.integerOr(
    {
      env: "HTTP_PORT",
      flag: "--http-port <port>",
      description: "port of /healthz, /readyz and /metrics; 0: any free one",
    },
    8080,
    { min: 0, max: 65535 },
  ),
  httpHost: setting.text({
    env: "HTTP_HOST",
    flag: "--http-host <address>",
    description: "address to listen on; absent: all",
  }),
  movesPerNamespace: setting.integerOr(
    {
      env: "MOVES_PER_NAMESPACE",
      flag: "--moves-per-namespace <number>",
      description: "moves made by hand that may be under way in one namespace; more of them wait in Pending",
    },
    4,
    { min: 1, max: 1000 },
  ),
  movesPerNode: setting.integerOr(
    {
      env: "MOVES_PER_NODE",
      flag: "--moves-per-node <number>",
      description: "moves under way from or to one node beyond which those made by hand wait in Pending",
    },
    4,
    { min: 1, max: 1000 },
  ),
  rollOutShare: {
    env: "ROLL_OUT_SHARE",
    flag: "--roll-out-share <number|percentage>",
    description:
      "nodes that may be prepared concurrently, which restarts their containerd; a single one goes first; default 10%",
    fallback: { fraction: 0.1 },
    parse: share,
  } satisfies setting.Setting<Share>,
  kubeletSummary: setting.switchOr(
    {
      env: "KUBELET_SUMMARY",
      flag: "--kubelet-summary <true|false>",
      description: "let policies read memory from the kubelets' Summary API",
    },
    true,
  ),
  influxUrl: setting.url({ env: "INFLUXDB_URL", flag: "--influxdb-url <url>", description: "InfluxDB 2" }),
  influxOrg: setting.text({ env: "INFLUXDB_ORG", flag: "--influxdb-org <org>", description: "its organisation" }),
  influxBucket: setting.text({
    env: "INFLUXDB_BUCKET",
    flag: "--influxdb-bucket <bucket>",
    description: "the bucket that Telegraf writes to",
  }),
  influxToken: setting.secret({ env: "INFLUXDB_TOKEN", description: "a token that may read the bucket" }),
};

function share(text: string): Share {
  const [, digits = "", percent] = /^(\d{1,5})(%?)$/.exec(text) ?? [];
  const number = Number(digits);
  const isShare = number >= 1 && (percent === "" || number <= 100);
  if (!isShare) throw new Error(`must be a number of nodes from 1, or a percentage from 1% to 100%, not "${text}"`);
  return percent === "" ? { count: number } : { fraction: number / 100 };
}

export type ControllerConfig = ReturnType<typeof readControllerConfig>;

export interface InfluxConnection {
  url: string;
  org: string;
  bucket: string;
  token: Secret;
}

/** Throws a SettingsError with one line for each setting that is wrong. */
export function readControllerConfig(given: setting.Given) {
  const { influxUrl, influxOrg, influxBucket, influxToken, movesPerNamespace, movesPerNode, ...rest } =
    setting.readSettings(controllerSettings, given);
  const moveCaps = { perNamespace: movesPerNamespace, perNode: movesPerNode };
  return { ...rest, moveCaps, influx: influxConnection({ influxUrl, influxOrg, influxBucket, influxToken }) };
}

interface InfluxSettings {
  influxUrl: string | undefined;
  influxOrg: string | undefined;
  influxBucket: string | undefined;
  influxToken: Secret | undefined;
}

/** All of it or nothing: policies that use InfluxDB say in a condition when there is no connection. */
function influxConnection(given: InfluxSettings): InfluxConnection | undefined {
  const { influxUrl: url, influxOrg: org, influxBucket: bucket, influxToken: token } = given;
  if (url && org && bucket && token) return { url, org, bucket, token };
  const parts = { INFLUXDB_URL: url, INFLUXDB_ORG: org, INFLUXDB_BUCKET: bucket, INFLUXDB_TOKEN: token };
  const missing = Object.entries(parts).flatMap(([name, value]) => (value ? [] : [name]));
  if (missing.length === Object.keys(parts).length) return undefined;
  const lines = missing.map((name) => `${name}: missing; InfluxDB needs all of ${Object.keys(parts).join(", ")}`);
  throw new setting.SettingsError(lines.join("\n"));
}
