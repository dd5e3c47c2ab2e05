import { readFile } from "node:fs/promises";

/**
 * When a process started, in ticks since boot (proc(5), field 22 of stat): with the pid it names one process for good.
 *
 * @returns undefined when there is no such process, or it is a zombie; a constant on systems without /proc
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform !== "linux") return isAlive(pid) ? "unknown" : undefined;
  const fields = await statFields(pid);
  return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
}

/** The parent's pid; 0 when there is none. */
export async function parentOf(pid: number): Promise<number> {
  return Number((await statFields(pid))?.[1] ?? 0);
}

/** The command line, its words joined by spaces; empty when the process is gone. */
export async function commandLineOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return text.replaceAll("\0", " ").trim();
}

/** What follows the name in brackets: state, parent, … */
async function statFields(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
