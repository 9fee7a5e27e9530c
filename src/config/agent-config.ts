/** The agent's configuration. */
import { isAbsolute, normalize } from "node:path";
import { OPT_IN_LAYOUTS, type OptInLayout } from "../agent/containerd/layout.ts";
import { BUNDLED_TREE, TREE_FOLDERS } from "../agent/host/criu-tree.ts";
import { type Amount, parseAmount } from "../api/quantity.ts";
import { logSettings } from "./controller-config.ts";
import * as setting from "./settings.ts";

const PORT = { min: 0, max: 65535 };

export const agentSettings = {
  ...logSettings,
  node: setting.text({ env: "NODE_NAME", flag: "--node <name>", description: "the node this agent is on" }),
  address: setting.text({
    env: "NODE_IP",
    flag: "--address <ip>",
    description: "the node's address: the agent and its page servers listen on it",
  }),
  podUID: setting.text({
    env: "POD_UID",
    description: "UID of the agent's pod: where preparing its node failed, the next pod tries again",
  }),
  port: setting.integerOr({ env: "AGENT_PORT", flag: "--port <port>", description: "port of the agent" }, 9808, PORT),
  stagingBudget: {
    env: "STAGING_BUDGET",
    flag: "--staging-budget <amount>",
    description: "memory that all moves together may stage here: a quantity, or a percentage of the node's",
    fallback: { fraction: 0.25 },
    parse: amount,
  } satisfies setting.Setting<Amount>,
  installHandler: setting.switchOr(
    {
      env: "INSTALL_HANDLER",
      flag: "--install-handler <true|false>",
      description: "put the runtime handler into containerd's configuration; false: only say what to add",
    },
    true,
  ),
  layouts: {
    env: "LAYOUTS",
    flag: "--layouts <names>",
    description: `layouts that were never tried and may still be given the handler: ${OPT_IN_LAYOUTS.join(", ")}, separated by commas`,
    fallback: [],
    parse: layouts,
  } satisfies setting.Setting<OptInLayout[]>,
  criu: setting.oneOf(
    {
      env: "CRIU",
      flag: "--criu <bundled|node>",
      description: "bundled: the CRIU that comes with the agent, laid on the node; node: the one in the node's PATH",
    },
    ["bundled", "node"],
    "bundled",
  ),
  criuFolder: {
    env: "CRIU_FOLDER",
    flag: "--criu-folder <folder>",
    description: `where the bundled CRIU is laid on the node; without it the first of ${TREE_FOLDERS.join(", ")} that works`,
    parse: absolutePath,
  } satisfies setting.Setting<string>,
  criuTree: setting.textOr(
    { env: "CRIU_TREE", flag: "--criu-tree <folder>", description: "where the bundled CRIU is in the agent's image" },
    BUNDLED_TREE,
  ),
  authorityFile: setting.textOr(
    { env: "CA_FILE", flag: "--ca-file <file>", description: "certificate of the controller's authority" },
    "/etc/headroom/ca/ca.crt",
  ),
  tokenFile: setting.textOr(
    { env: "TOKEN_FILE", flag: "--token-file <file>", description: "the pod's service-account token for headroom" },
    "/var/run/secrets/headroom/token",
  ),
  tlsDirectory: setting.text({
    env: "TLS_DIR",
    flag: "--tls-dir <folder>",
    description: "tls.key, tls.crt and ca.crt made elsewhere: no enrolment",
  }),
  host: setting.oneOf(
    {
      env: "AGENT_HOST",
      flag: "--host <process-1|here>",
      description:
        "process-1: enter the namespaces of process 1 (in a privileged hostPID pod); here: the agent runs on the node itself",
    },
    ["process-1", "here"],
    "process-1",
  ),
};

function layouts(text: string): OptInLayout[] {
  return text.split(",").map((given) => {
    const found = OPT_IN_LAYOUTS.find((layout) => layout === given.trim());
    if (found === undefined) throw new Error(`must be some of ${OPT_IN_LAYOUTS.join(", ")}, not "${given.trim()}"`);
    return found;
  });
}

function absolutePath(text: string): string {
  if (!isAbsolute(text)) throw new Error("must be an absolute path on the node");
  return normalize(text).replace(/(?<=.)\/$/, "");
}

function amount(text: string): Amount {
  const parsed = parseAmount(text);
  if (!parsed) throw new Error("must be a quantity such as 4Gi, or a percentage such as 25%");
  return parsed;
}

export type AgentConfig = ReturnType<typeof readAgentConfig>;

/** Throws a SettingsError with a line for each setting that is wrong or missing. */
export function readAgentConfig(given: setting.Given) {
  const read = setting.readSettings(agentSettings, given);
  const { node, address } = read;
  const missing = [...(node ? [] : ["NODE_NAME: must be set"]), ...(address ? [] : ["NODE_IP: must be set"])];
  if (!node || !address) throw new setting.SettingsError(missing.join("\n"));
  return { ...read, node, address };
}
