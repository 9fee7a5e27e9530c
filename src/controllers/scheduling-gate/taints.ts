/** The scheduling gate's taint on nodes: what has to change, and the change. */
import { GATE_TAINT } from "../../api/v1alpha1/group.ts";
import { type KubeClient, KubeError } from "../../kube/client.ts";
import { NODES, type Node } from "../../kube/resources.ts";

export interface TaintChange {
  node: string;
  /** Undefined: the taint comes off. */
  policy: string | undefined;
  /** The policy that the taint names now. */
  was: string | undefined;
}

type Taint = NonNullable<NonNullable<Node["spec"]>["taints"]>[number];

const gateTaint = (node: Node): Taint | undefined => node.spec?.taints?.find((taint) => taint.key === GATE_TAINT);

/** Nodes whose taint is not what is wanted. `wanted`: the policy that closes the gate, by node. */
export function taintChanges(nodes: readonly Node[], wanted: ReadonlyMap<string, string>): TaintChange[] {
  return nodes.flatMap((node) => {
    const policy = wanted.get(node.metadata.name);
    const current = gateTaint(node);
    if (current?.value === policy && (current === undefined) === (policy === undefined)) return [];
    return [{ node: node.metadata.name, policy, was: current?.value }];
  });
}

/** Gates closed by these policies, as they are: nobody can tell now whether they should open. */
export function gatesToKeep(nodes: readonly Node[], policies: ReadonlySet<string>): Map<string, string> {
  return new Map(
    nodes.flatMap((node) => {
      const policy = gateTaint(node)?.value;
      return policy !== undefined && policies.has(policy) ? [[node.metadata.name, policy] as const] : [];
    }),
  );
}

function taintsAfter(node: Node, policy: string | undefined): Taint[] {
  const others = (node.spec?.taints ?? []).filter((taint) => taint.key !== GATE_TAINT);
  return policy === undefined ? others : [...others, { key: GATE_TAINT, value: policy, effect: "NoSchedule" }];
}

const ATTEMPTS = 3;

/** The node afterwards; undefined when it is gone. Somebody else's taints are never lost: the write is conditional, and repeated. */
export async function applyTaint(
  client: KubeClient,
  change: Pick<TaintChange, "node" | "policy">,
): Promise<Node | undefined> {
  const { node: name, policy } = change;
  for (let attempt = 1; ; attempt++) {
    const node = await client.get(NODES, { name });
    if (
      node === undefined ||
      taintChanges([node], new Map(policy === undefined ? [] : [[name, policy]])).length === 0
    ) {
      return node;
    }
    try {
      const { resourceVersion } = node.metadata;
      return await client.patch(
        NODES,
        { name },
        { metadata: { resourceVersion }, spec: { taints: taintsAfter(node, policy) } },
      );
    } catch (error) {
      const stale = error instanceof KubeError && error.reason === "Conflict";
      if (!stale || attempt === ATTEMPTS) throw error;
    }
  }
}
