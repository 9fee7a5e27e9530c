/** Takes a fault back. Safe to call twice, and after what it struck has ended. */
export type Undo = () => Promise<void>;
