/** The API group and the names that Headroom writes on objects. */
export const GROUP = "headroom.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The RuntimeClass (and containerd handler) that only the copy on the target runs under. */
export const RUNTIME_CLASS = "headroom";
/** On a pod: "false" opts it out of every move. */
export const MOVE_ANNOTATION = `${GROUP}/move`;
/** Label that joins a pod, its moves and its successors; the value is the first pod's UID. */
export const LINEAGE_LABEL = `${GROUP}/lineage`;
/** Label on a PodMigration: the policy that made it. */
export const POLICY_LABEL = `${GROUP}/policy`;
/** On a pod: how long it is expected to run, as a duration (8h, 1h30m). */
export const EXPECTED_RUNTIME_ANNOTATION = `${GROUP}/expected-runtime`;
/** On a pod: what its freeze weighs where moves are weighed against each other (selection Cheapest); 1 if absent. */
export const MOVE_COST_ANNOTATION = `${GROUP}/move-cost`;
/** On a pod that was moved: when the first of its lineage started, RFC 3339. Its own start is when it was restored. */
export const STARTED_AT_ANNOTATION = `${GROUP}/started-at`;
/** Label and value on a target pod before the hand-over: the move's UID. */
export const MOVE_LABEL = `${GROUP}/move-uid`;
/** Scheduling gate of a target pod until its agent has registered it. */
export const REGISTERING_GATE = `${GROUP}/registering`;
/** Readiness gate of a target pod: it is in no Service before its release. Its condition is set when the copy runs. */
export const HANDED_OVER_GATE = `${GROUP}/handed-over`;
/** Finalizer on PodMigrations (deletion is a cancel) and MigrationPolicies (its taints go first). */
export const FINALIZER = `${GROUP}/finalizer`;
/** NoSchedule taint of the scheduling gate; its value names the policy. */
export const GATE_TAINT = `${GROUP}/filling-up`;
