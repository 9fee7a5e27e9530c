/** The page in a browser without a screen: what is drawn on canvas goes nowhere, all else is there. */
import { type Document, type Element, Window } from "happy-dom";
import type { ComparisonReport } from "../../../src/simulator/comparing/comparison.ts";
import { renderHtml } from "../../../src/simulator/report/html/render-html.ts";

export interface OpenedPage {
  document: Document;
  /** Errors and what was written to the console. */
  complaints: string[];
  /** Chooses in the list with this label. */
  choose(label: string, text: string): Promise<void>;
  press(element: Element | null | undefined, key?: string): Promise<void>;
  close(): Promise<void>;
}

export async function openPage(report: ComparisonReport): Promise<OpenedPage> {
  const window = new Window({
    url: "file:///report.html",
    width: 1280,
    height: 900,
    settings: { enableJavaScriptEvaluation: true, suppressInsecureJavaScriptEnvironmentWarning: true },
  });
  const complaints: string[] = [];
  for (const level of ["error", "warn", "log"] as const)
    window.console[level] = (...said: unknown[]) => void complaints.push(said.join(" "));
  window.addEventListener(
    "error",
    (event) => void complaints.push(String((event as unknown as { message: string }).message)),
  );
  stubDrawing(window);
  // A script's top-level `var` is global in a browser; happy-dom runs it in a function.
  window.document.write(renderHtml(report).replace("\nvar uPlot=", "\nglobalThis.uPlot="));
  const { document } = window;
  await settled(window, () => document.documentElement.dataset.ready === "true");
  const event = (name: string) => new window.Event(name, { bubbles: true });
  return {
    document,
    complaints,
    choose: async (label, text) => {
      const field = [...document.querySelectorAll("label")].find(
        (one) => one.querySelector("span")?.textContent === label,
      );
      const select = field?.querySelector("select");
      const option = [...(select?.options ?? [])].find((one) => one.textContent === text);
      if (!select || !option) throw new Error(`no choice ${text} in ${label}`);
      select.value = option.value;
      select.dispatchEvent(event("change"));
      await settled(window);
    },
    press: async (element, key) => {
      if (!element) throw new Error("nothing to press");
      if (key === undefined) element.dispatchEvent(event("click"));
      else element.dispatchEvent(new window.KeyboardEvent("keydown", { key, bubbles: true }));
      await settled(window);
    },
    close: () => window.happyDOM.close(),
  };
}

/** Everything that a 2D context is asked to do does nothing; what it is asked for is a number. */
function stubDrawing(window: Window): void {
  const context = new Proxy(
    {},
    {
      get: (_, name) => (name === "measureText" ? () => ({ width: 40 }) : name === "canvas" ? null : () => undefined),
      set: () => true,
    },
  );
  const globals = window as unknown as Record<string, unknown>;
  window.HTMLCanvasElement.prototype.getContext = (() => context) as never;
  globals.Path2D = function Path2D() {
    return context;
  };
  globals.ImageData = class {
    data: Uint8ClampedArray;
    constructor(width: number, height: number) {
      this.data = new Uint8ClampedArray(width * height * 4);
    }
  };
  for (const name of ["DecompressionStream", "Blob", "Response", "TextDecoder", "atob"] as const)
    globals[name] = globalThis[name];
}

async function settled(window: Window, done: () => boolean = () => true): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    await window.happyDOM.waitUntilComplete();
    await new Promise((resolve) => setImmediate(resolve));
    const busy = window.document.querySelector("[aria-busy]") !== null;
    if (turn > 3 && !busy && done()) return;
  }
  throw new Error("the page did not become ready");
}
