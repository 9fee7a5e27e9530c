import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/e2e/**"],
    setupFiles: ["test/support/property-seed.ts"],
    maxWorkers: "100%", // by default one core is left idle
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
