import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

interface PackageFile {
  version?: string;
  engines?: { bun?: string };
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  /** `name@version` → file with our changes to it. */
  patchedDependencies?: Record<string, string>;
}

/** What the hub runs with, or all that building and testing it takes as well. */
export type DependencyKind = "production" | "all";

/** Says of which lockfile `node_modules` is, and how much of it; there only while an installation is whole. */
const STAMP = "node_modules/.hub-dependencies";

/** There while an installation runs: what it leaves behind when it is killed must not pass for whole. */
const UNFINISHED = "node_modules/.hub-unfinished";

/**
 * Installs the dependencies of the lockfile unless they are there. A `node_modules` that somebody else has
 * installed is left alone when it holds every dependency in its version.
 *
 * @param report called once before an installation and once after
 * @returns whether it installed: a process that began without them cannot load them, because Bun has remembered that
 *   there was no `node_modules`
 * @throws Error with the installer's output when it fails, or when Bun is too old
 */
export async function installDependencies(
  projectDir: string,
  kind: DependencyKind,
  report: (text: string) => void,
): Promise<boolean> {
  const manifest = (await readJson(join(projectDir, "package.json"))) ?? {};
  const needed = manifest.engines?.bun ?? "*";
  if (!Bun.semver.satisfies(Bun.version, needed)) {
    throw new Error(
      `Cannot start: Bun ${needed} is needed, this is ${Bun.version}. Run: npx -y bun@1.4.5 start`,
    );
  }
  const patches = manifest.patchedDependencies ?? {};
  const hash = await fingerprint(projectDir, ["bun.lock", ...Object.values(patches)]);
  const stampOf = (installed: DependencyKind): string => `${hash} ${installed}`;
  const stamp = await readFile(join(projectDir, STAMP), "utf8").catch(() => "");
  if (stamp === stampOf("all") || stamp === stampOf(kind)) return false;
  const wanted = { ...manifest.dependencies, ...(kind === "all" ? manifest.devDependencies : {}) };
  if ((await isComplete(projectDir, wanted)) && (await isPatched(projectDir, patches))) return false;
  report("Installing dependencies …");
  const startedMs = Date.now();
  await mkdir(join(projectDir, "node_modules"), { recursive: true });
  await writeFile(join(projectDir, UNFINISHED), "");
  install(projectDir, kind);
  await writeFile(join(projectDir, STAMP), stampOf(kind));
  await rm(join(projectDir, UNFINISHED));
  report(`Dependencies installed in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  return true;
}

async function isComplete(projectDir: string, dependencies: Record<string, string>): Promise<boolean> {
  if (await Bun.file(join(projectDir, UNFINISHED)).exists()) return false;
  const installed = await Promise.all(
    Object.entries(dependencies).map(async ([name, range]) => {
      const found = await readJson(join(projectDir, "node_modules", name, "package.json"));
      return found?.version !== undefined && Bun.semver.satisfies(found.version, range);
    }),
  );
  return installed.every(Boolean);
}

async function fingerprint(projectDir: string, files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) hash.update(await readFile(join(projectDir, file)));
  return hash.digest("hex");
}

/** Bun leaves a file `.bun-tag-<hash>` in a package that it has patched. */
async function isPatched(projectDir: string, patches: Record<string, string>): Promise<boolean> {
  const marks = await Promise.all(
    Object.keys(patches).map(async (nameAndVersion) => {
      const name = nameAndVersion.slice(0, nameAndVersion.lastIndexOf("@"));
      const files = await readdir(join(projectDir, "node_modules", name)).catch(() => []);
      return files.some((file) => file.startsWith(".bun-tag-"));
    }),
  );
  return marks.every(Boolean);
}

function install(projectDir: string, kind: DependencyKind): void {
  const result = Bun.spawnSync({
    cmd: [
      process.execPath,
      "install",
      "--frozen-lockfile",
      ...(kind === "production" ? ["--production"] : []),
    ],
    cwd: projectDir,
    env: { ...process.env, ...cacheVariables(projectDir) },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  if (result.exitCode !== 0) {
    const output = `${result.stdout.toString()}\n${result.stderr.toString()}`.trim();
    throw new Error(
      `Cannot install the dependencies; is the package registry reachable?\n${output.slice(-4000)}`,
    );
  }
}

/** Without a home folder Bun would look for its cache at the root of the file system. */
function cacheVariables(projectDir: string): Record<string, string> {
  if (process.env["HOME"] || process.env["BUN_INSTALL_CACHE_DIR"]) return {};
  return { BUN_INSTALL_CACHE_DIR: join(projectDir, "node_modules/.cache/bun") };
}

async function readJson(path: string): Promise<PackageFile | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as PackageFile);
}
