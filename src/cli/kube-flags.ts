/** The flags of every command that talks to a cluster, and the client they give. */
import type { Command } from "commander";
import type { KubeClient } from "../kube/client.ts";
import { HttpKubeClient } from "../kube/http-client.ts";
import { currentNamespace, loadKubeConfig } from "../kube/kube-config.ts";
import { KubeConfigTransport, type Transport } from "../kube/transport.ts";

export interface KubeFlags {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
}

export interface Cluster {
  client: KubeClient;
  transport: Transport;
  namespace: string;
}

export function withKubeFlags(command: Command): Command {
  return command
    .option("-n, --namespace <name>", "namespace (default: that of the kubeconfig's context)")
    .option("--kubeconfig <file>", "kubeconfig file (default: KUBECONFIG, ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig");
}

export function clusterOf(flags: KubeFlags): Cluster {
  const config = loadKubeConfig({ file: flags.kubeconfig, context: flags.context });
  const transport = new KubeConfigTransport(config);
  return { client: new HttpKubeClient(transport), transport, namespace: flags.namespace ?? currentNamespace(config) };
}
