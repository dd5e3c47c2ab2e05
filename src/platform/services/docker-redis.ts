import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../process/free-port.ts";
import { claimData, type EmbeddedRedis, pingRedis, redisConfiguration, redisUrl } from "./redis-service.ts";
import { retryUntil } from "../process/retry-until.ts";
import type { RunningService, Service } from "./service.ts";

const VERSION = "7.4";
const IMAGE = `redis:${VERSION}-bookworm`;

/** The image's own place for data. */
const CONTAINER_DATA_DIR = "/data";
const CONFIGURATION_FILE = "/usr/local/etc/redis/redis.conf";

const READY_TIMEOUT_MS = 300_000;
const PULL_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 30_000;

/** True when a Docker engine, or one that speaks its API, answers. */
export async function dockerAnswers(): Promise<boolean> {
  const { getContainerRuntimeClient } = await import("testcontainers");
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

/**
 * Redis in a container, with the same settings and the same data folder as the program would have. It shares the
 * machine's network, so that it listens on 127.0.0.1 alone; the reaper of testcontainers removes it when we are killed.
 */
export async function prepareDockerRedis(options: {
  home: string;
  password: string;
}): Promise<EmbeddedRedis> {
  const dataDir = join(options.home, "redis");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await claimData(dataDir, "redis", `${VERSION}.0`);
  const port = freePort();
  const settings = { port, dataDir: CONTAINER_DATA_DIR, password: options.password };
  const service: Service = {
    name: "redis",
    start: () => startContainer({ ...options, port, dataDir, configuration: redisConfiguration(settings) }),
  };
  return { service, version: `redis ${VERSION} in Docker`, url: redisUrl(port, options.password) };
}

async function startContainer(options: {
  port: number;
  password: string;
  dataDir: string;
  configuration: string;
}): Promise<RunningService> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import("testcontainers");
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const client = await getContainerRuntimeClient();
  // The same name for the same data, so that the engine refuses a second server on it. One that is there is left over
  // from a run that was killed, because HUB_HOME is locked by us.
  const name = `integration-hub-redis-${createHash("sha256").update(options.dataDir).digest("hex").slice(0, 12)}`;
  await client.container
    .getById(name)
    .remove({ force: true })
    .catch(() => undefined);
  const container = await new GenericContainer(IMAGE)
    .withName(name)
    .withNetworkMode("host")
    .withUser(`${uid}:${gid}`)
    .withBindMounts([{ source: options.dataDir, target: CONTAINER_DATA_DIR }])
    .withCopyContentToContainer([{ content: options.configuration, target: CONFIGURATION_FILE, mode: 0o444 }])
    .withCommand(["redis-server", CONFIGURATION_FILE])
    .withWaitStrategy(Wait.forLogMessage("Ready to accept connections"))
    .withStartupTimeout(PULL_TIMEOUT_MS)
    .start();
  const engineContainer = client.container.getById(container.getId());
  await retryUntil(() => pingRedis(options.port, options.password), {
    everyMs: 50,
    timeoutMs: READY_TIMEOUT_MS,
  });
  return {
    name: "redis",
    pid: undefined,
    exited: engineContainer.wait().then(
      (end: { StatusCode: number }) => `exit code ${end.StatusCode}`,
      (error: Error) => error.message,
    ),
    kill: (signal) => void engineContainer.kill({ signal }).catch(() => undefined),
    async stop() {
      await container.stop({ timeout: STOP_TIMEOUT_MS });
    },
  };
}
