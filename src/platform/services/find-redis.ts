import { readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { runCommand } from "../process/run-command.ts";
import { unpackDebianPackages } from "./debian-packages.ts";

/** A server program that speaks Redis, with the environment that it needs. */
export interface RedisBinary {
  file: string;
  kind: "redis" | "valkey";
  /** `7.0.15`. */
  version: string;
  env: Record<string, string>;
}

const PROGRAMS = ["redis-server", "valkey-server"];

/** Folders of system programs, which an ordinary user's PATH may lack. */
const SYSTEM_DIRS = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

/** XAUTOCLAIM as the workers use it, and functions of the scripts. */
const VERSION_MIN = "7.0.0";

const VERSION_TIMEOUT_MS = 10_000;

/** Debian's packages with the server; `redis-server` itself is a link into `redis-tools`. */
const DEBIAN_PACKAGES = ["redis-server", "redis-tools"];

/**
 * An installed `redis-server` or `valkey-server`, on `path` or in the system's folders.
 *
 * @returns undefined where there is none, or only one older than 7.0
 */
export async function findInstalledRedis(path: string): Promise<RedisBinary | undefined> {
  const directories = [...path.split(delimiter).filter((directory) => directory !== ""), ...SYSTEM_DIRS];
  for (const program of PROGRAMS) {
    for (const directory of directories) {
      const found = await readBinary(join(directory, program), {});
      if (found && Bun.semver.order(found.version, VERSION_MIN) >= 0) return found;
    }
  }
  return undefined;
}

/**
 * Debian's Redis, downloaded and unpacked into `directory` with the libraries that the machine lacks. Nothing of the
 * system is changed, no service of its own starts, and an ordinary user can do it as well as root.
 *
 * @param options.environment of apt: the names of proxies
 * @throws Error that says what to install by hand
 */
export async function unpackRedis(options: {
  directory: string;
  environment: Readonly<Record<string, string>>;
  report: (text: string) => void;
}): Promise<RedisBinary> {
  const { directory, environment } = options;
  const unpacked = await readUnpacked(directory);
  if (unpacked) return unpacked;
  try {
    options.report("downloading Debian's package of Redis");
    await unpackDebianPackages({ packages: DEBIAN_PACKAGES, directory, environment });
  } catch (error) {
    throw new Error(`${INSTALL_HINT}\n${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const found = await readUnpacked(directory);
  if (!found) throw new Error(`${INSTALL_HINT}\nThe program in ${directory} does not run`);
  return found;
}

const INSTALL_HINT =
  "Cannot find Redis 7.0 or newer. Install it (Debian: apt-get install redis-server; elsewhere the package redis or valkey), " +
  "start Docker, or set REDIS_URL.";

async function readUnpacked(directory: string): Promise<RedisBinary | undefined> {
  // Debian keeps libraries in a folder named by the machine: usr/lib/x86_64-linux-gnu.
  const libraries = await Promise.all(
    ["usr/lib", "lib"].map(async (root) => {
      const folder = join(directory, root);
      return (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
    }),
  );
  const env = { LD_LIBRARY_PATH: libraries.flat().join(delimiter) };
  return readBinary(join(directory, "usr/bin/redis-server"), env);
}

async function readBinary(file: string, env: Record<string, string>): Promise<RedisBinary | undefined> {
  if (!(await Bun.file(file).exists())) return undefined;
  const argv = [file, "--version"];
  const lines = await runCommand({ name: "redis", argv, env }, VERSION_TIMEOUT_MS).catch(() => []);
  // `Redis server v=7.0.15 …`; Valkey 8 says `Valkey server v=8.1.1 …`, Valkey 7 still names itself Redis.
  const match = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/m.exec(lines.join("\n"));
  if (!match) return undefined;
  return { file, kind: match[1] === "Valkey" ? "valkey" : "redis", version: match[2]!, env };
}
