/** Where the cluster is: `--kubeconfig`, else KUBECONFIG, ~/.kube/config, else the service account of this pod. */
import { KubeConfig } from "@kubernetes/client-node";

export interface KubeConfigOptions {
  /** A kubeconfig file; wins over the environment. */
  file?: string | undefined;
  /** A context in it; absent: its current one. */
  context?: string | undefined;
}

/** Throws one line that names the file and what is wrong with it. */
export function loadKubeConfig(options: KubeConfigOptions = {}): KubeConfig {
  const config = new KubeConfig();
  try {
    if (options.file) config.loadFromFile(options.file);
    else config.loadFromDefault();
  } catch (cause) {
    const file = options.file ?? process.env.KUBECONFIG ?? "~/.kube/config";
    throw new Error(`kubeconfig ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (options.context) config.setCurrentContext(options.context);
  if (!config.getCurrentCluster()) {
    throw new Error(`kubeconfig: context ${config.getCurrentContext() || "(none)"} names no cluster`);
  }
  return config;
}

/** The namespace of the current context, as kubectl takes it. */
export function currentNamespace(config: KubeConfig): string {
  return config.getContextObject(config.getCurrentContext())?.namespace || "default";
}
