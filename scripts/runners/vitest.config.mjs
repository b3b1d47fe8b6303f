/** Vitest, for the test files that are named on its command line. */

import { defineConfig } from 'vitest/config';
import { fileURLToPath } from 'node:url';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    globals: true,
    include: ['__test__/**/*.test.js'],
    setupFiles: [fileURLToPath(new URL('vitest.setup.js', import.meta.url))],
    testTimeout: 30000,
    hookTimeout: 30000,
    maxWorkers: 2,
    silent: true,
  },
});
