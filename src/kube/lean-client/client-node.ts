/** What Headroom and its operator's base class use of @kubernetes/client-node. */
export { KubeConfig } from "@kubernetes/client-node/dist/config.js";

/** The base class makes one and never calls it: everything goes through KubeClient. */
export class CoreV1Api {}
