import { readFileSync } from "node:fs";

/** A user of this machine to run a server as. */
export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
}

/** Owners of nothing else of value: Debian's user for this server, else the one for nothing. */
const CANDIDATES = ["postgres", "nobody"];

/**
 * Whom root runs Postgres as, because initdb and postgres refuse to run as root.
 *
 * @param dataOwner owner of existing data: nobody else may open it
 * @returns undefined when this process is not root and nothing has to be dropped
 * @throws Error when the machine has none of the users
 */
export function unprivilegedUser(dataOwner?: { uid: number; gid: number }): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (dataOwner && dataOwner.uid !== 0) return { name: String(dataOwner.uid), ...dataOwner };
  const users = readFileSync("/etc/passwd", "utf8").split("\n").map(parsePasswdLine);
  for (const name of CANDIDATES) {
    const user = users.find((candidate) => candidate?.name === name);
    if (user) return user;
  }
  throw new Error(
    "Cannot run Postgres as root: this machine has neither a user postgres nor nobody. Create one: useradd --system postgres",
  );
}

function parsePasswdLine(line: string): SystemUser | undefined {
  const [name, , uid, gid] = line.split(":");
  return name && uid && gid ? { name, uid: Number(uid), gid: Number(gid) } : undefined;
}
