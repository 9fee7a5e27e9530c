/** A cluster with what the tests need of it: Headroom installed, a client, the witness. */
import { type Cluster, type ClusterOptions, saved, up } from "../cluster/cluster.ts";
import type { KubeletOptions } from "../cluster/node-services.ts";
import type { Settings } from "../cluster/settings.ts";
import { Api } from "./api.ts";
import { diagnose } from "./diagnosis.ts";
import { type HelmValues, importOperatorImages, installHeadroom, operatorImages } from "./headroom.ts";
import { Witness } from "./witness.ts";

export interface Stage {
  cluster: Cluster;
  api: Api;
  witness: Witness;
}

/** What is asked of a cluster. */
export interface Place extends Omit<ClusterOptions, "kubelet"> {
  kubelet?: KubeletOptions;
  /** Values for the chart; false: Headroom is not installed. */
  headroom: HelmValues | false;
}

/** Brings a cluster up. Where Headroom cannot be installed, the error names the logs, and the cluster stays up. */
export async function openStage(settings: Settings, place: Place, print: (line: string) => void): Promise<Stage> {
  const quiet = (line: string): void => {
    if (line.startsWith("building")) print(`  ${line}`);
  };
  const { headroom, kubelet = {}, ...options } = place;
  const images = options.virtual ? { images: await operatorImages(settings, quiet) } : {};
  const stage = await stageOn(settings, await up(settings, { ...options, ...images, kubelet }, quiet));
  if (!headroom) return stage;
  try {
    await importOperatorImages(stage.cluster, quiet);
    await installHeadroom(stage.cluster, stage.api, headroom);
    return stage;
  } catch (error) {
    const logs = await diagnose(stage.cluster);
    await closeStage(stage);
    throw new Error(`${error instanceof Error ? error.message : error}\nlogs: ${logs}`);
  }
}

/** On the cluster that is up, with what is installed there. */
export async function runningStage(settings: Settings): Promise<Stage> {
  const cluster = await saved(settings);
  if (!cluster) throw new Error(`instance ${settings.instance} is not up`);
  return stageOn(settings, cluster);
}

async function stageOn(settings: Settings, cluster: Cluster): Promise<Stage> {
  return { cluster, api: await Api.open(cluster.kubeconfig), witness: await Witness.open(settings) };
}

/** The cluster stays up. */
export async function closeStage({ api, witness }: Stage): Promise<void> {
  api.close();
  await witness.close();
}
