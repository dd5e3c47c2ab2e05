import { runVaultJobs } from "../../src/domain/vault/run-vault-jobs.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime } from "../../src/platform/runtime.ts";

/** A worker that does nothing but the vault's jobs, for a test to kill. */
await runVaultJobs(createRuntime(loadConfig(), "worker"), () => true);
