import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** A password of 256 random bits that needs no escaping in a URL or a configuration file. */
export function randomPassword(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * The secret in a file (mode 0600, folder 0700); made and fsynced there when the file does not exist.
 *
 * @param unlocks file of the data that cannot be used without this secret
 * @throws Error when the file is empty, or gone while that data is there: data sealed or protected by its lost content
 * must not get a new one
 */
export async function keepSecret(path: string, make: () => string, unlocks?: string): Promise<string> {
  const kept = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (kept === undefined) {
    if (unlocks !== undefined && (await exists(unlocks))) {
      throw new Error(
        `Cannot start: ${dirname(unlocks)} is there, but ${path} is gone, and without it that data cannot be used.\n` +
          "Restore it from a backup, or move the data away to begin anew.",
      );
    }
    const secret = make();
    await writeSecretFile(path, `${secret}\n`);
    return secret;
  }
  if (kept.trim() === "") throw new Error(`Cannot use ${path}: it is empty; restore it from a backup`);
  return kept.trim();
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Replaces a file as a whole, readable by its owner only; after a crash it holds the old or the new text. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
