/** Whether containerd knows the runtime handler. */
export interface HandlerStatus {
  installed: boolean;
  /** Why not, and what to do. */
  message?: string;
}
