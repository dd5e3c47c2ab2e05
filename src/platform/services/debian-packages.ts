import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../process/run-command.ts";

/** Lists of a slow mirror. */
const UPDATE_TIMEOUT_MS = 120_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;
const PLAN_TIMEOUT_MS = 30_000;

interface RunOptions {
  environment: Readonly<Record<string, string>>;
  cwd: string;
  timeoutMs: number;
}

/**
 * Downloads packages of the machine's own Debian sources, with what they need and the machine lacks, and unpacks them
 * into `directory`. Lists and archives are kept in a folder of their own, so neither root nor a lock is needed and the
 * system is left as it is; signatures are checked by apt as ever.
 *
 * @param options.environment of the apt programs: the names of proxies
 * @throws Error when the machine has no apt, or a package cannot be had
 */
export async function unpackDebianPackages(options: {
  packages: readonly string[];
  directory: string;
  environment: Readonly<Record<string, string>>;
}): Promise<void> {
  const { directory, environment } = options;
  const work = `${directory}.work`;
  const unfinished = `${directory}.new`;
  await rm(work, { recursive: true, force: true });
  await rm(unfinished, { recursive: true, force: true });
  const [lists, cache, archives] = [join(work, "lists"), join(work, "cache"), join(work, "archives")];
  for (const folder of [join(lists, "partial"), join(cache, "archives/partial"), archives, unfinished]) {
    await mkdir(folder, { recursive: true });
  }
  const apt = [
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${cache}`,
    "Debug::NoLocking=1",
    // The user that root's apt downloads as may have no way into this folder.
    "APT::Sandbox::User=",
    "Acquire::Retries=2",
    "Acquire::Languages=none",
  ].flatMap((option) => ["-o", option]);
  try {
    await run("apt-get", [...apt, "-qq", "update"], { environment, cwd: work, timeoutMs: UPDATE_TIMEOUT_MS });
    const missing = await missingPackages(apt, options.packages, {
      environment,
      cwd: work,
      timeoutMs: PLAN_TIMEOUT_MS,
    });
    await run("apt-get", [...apt, "-qq", "download", ...missing], {
      environment,
      cwd: archives,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
    });
    for (const archive of await readdir(archives)) {
      await run("dpkg-deb", ["-x", join(archives, archive), unfinished], {
        environment,
        cwd: work,
        timeoutMs: DOWNLOAD_TIMEOUT_MS,
      });
    }
    await rm(directory, { recursive: true, force: true });
    await rename(unfinished, directory);
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** The packages asked for and those that apt would install with them. */
async function missingPackages(
  apt: readonly string[],
  packages: readonly string[],
  options: RunOptions,
): Promise<string[]> {
  const plan = await run(
    "apt-get",
    [...apt, "-s", "install", "--no-install-recommends", ...packages],
    options,
  );
  const planned = plan.flatMap((line) => /^Inst (\S+)/.exec(line)?.[1] ?? []);
  return [...new Set([...packages, ...planned])];
}

/** Fixed folders: the caller's PATH may name other programs of these names. */
function run(program: string, args: readonly string[], options: RunOptions): Promise<string[]> {
  const env = {
    ...options.environment,
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C",
    DEBIAN_FRONTEND: "noninteractive",
  };
  const argv = [`/usr/bin/${program}`, ...args];
  return runCommand({ name: program, argv, env, cwd: options.cwd }, options.timeoutMs);
}
