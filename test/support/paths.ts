import { join } from "node:path";

/** Root of the project. */
export const PROJECT_DIR = join(import.meta.dirname, "../..");

/** Programs that a test run has downloaded; not in git. */
export const TEST_CACHE_DIR = join(PROJECT_DIR, "test/.tmp");
