import { join } from "node:path";
import { findInstalledRedis, type RedisBinary, unpackRedis } from "../../src/platform/services/find-redis.ts";
import { TEST_CACHE_DIR } from "./paths.ts";

let binary: Promise<RedisBinary> | undefined;

/** The server program: installed, else Debian's package unpacked once for all runs. */
export function provideRedisBinary(): Promise<RedisBinary> {
  binary ??= findInstalledRedis(process.env["PATH"] ?? "").then(
    (installed) =>
      installed ??
      unpackRedis({
        directory: join(TEST_CACHE_DIR, "redis-server"),
        environment: {},
        report: (text) => console.error(text),
      }),
  );
  return binary;
}
