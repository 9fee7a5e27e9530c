/** Pods that find no node, and nodes that pods were recorded on but that are not there: seldom meant, and easily overlooked in the scores. */
import { formatBytes } from "../../api/quantity.ts";
import type { SimulatedNode, SimulatedPod } from "../../simulator/scenario.ts";

/** A line for each of the two. */
export function unplaceable(pods: readonly SimulatedPod[], nodes: readonly SimulatedNode[]): string[] {
  const mostBytes = Math.max(
    0,
    ...nodes.map(({ allocatableBytes, capacityBytes }) => allocatableBytes ?? capacityBytes),
  );
  const names = new Set(nodes.map(({ name }) => name));
  const tooBig = pods.filter(({ requestBytes }) => requestBytes > mostBytes);
  const elsewhere = pods.filter(({ node }) => node !== undefined && !names.has(node));
  return [
    ...told(tooBig, pods.length, (pod) => {
      const sizes = `${formatBytes(pod.requestBytes)}; the biggest node has ${formatBytes(mostBytes)}`;
      return `request more than any node has and never start, such as ${nameOf(pod)} (${sizes})`;
    }),
    ...told(elsewhere, pods.length, (pod) => {
      return `were recorded on nodes that are not in --cluster and go where the scheduler puts them, such as ${nameOf(pod)} on ${pod.node}`;
    }),
  ];
}

const nameOf = ({ namespace, name }: SimulatedPod) => `${namespace}/${name}`;

function told(pods: readonly SimulatedPod[], all: number, what: (first: SimulatedPod) => string): string[] {
  const [first] = pods;
  return first === undefined ? [] : [`${pods.length} of ${all} pods ${what(first)}`];
}
