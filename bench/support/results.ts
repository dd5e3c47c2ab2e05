import { mkdir, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { describeMachine } from "./machine.ts";

/** What a benchmark leaves behind. */
export interface BenchmarkResult {
  name: string;
  /** Sections of the report, Markdown. */
  sections: readonly string[];
  /** Everything measured, for later comparison. */
  data: unknown;
  /** The last line on the terminal. */
  verdict: Readonly<Record<string, unknown>>;
}

const RESULTS = resolve(import.meta.dir, "../results");

/**
 * Writes `bench/results/<name>-<date>.json` and `.md`, both with the machine and the command, then prints the verdict
 * as the last line.
 */
export async function publishResult(result: BenchmarkResult): Promise<void> {
  const at = new Date();
  const machine = describeMachine();
  const command = `bun run bench ${process.argv.slice(2).map(masked).join(" ")}`;
  const stamp = at.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  const base = join(RESULTS, `${result.name}-${stamp}`);
  const hardware =
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, ` +
    `${machine.filesystem}; Bun ${machine.bun}, Node ${machine.node}; commit ${machine.commit}` +
    (machine.modified ? " with changes" : "");
  const report = [
    `# ${result.name}, ${at.toISOString().slice(0, 16).replace("T", " ")} UTC`,
    `\`${command}\``,
    `${hardware}. The generator runs on the same machine.`,
    ...result.sections,
    `\`\`\`json\n${JSON.stringify(result.verdict)}\n\`\`\``,
  ].join("\n\n");
  await mkdir(RESULTS, { recursive: true });
  await writeFile(`${base}.md`, `${report}\n`);
  await writeFile(
    `${base}.json`,
    `${JSON.stringify({ at: at.toISOString(), command, machine, ...result }, undefined, 2)}\n`,
  );
  console.log(`\nWritten: ${relative(process.cwd(), base)}.md and .json`);
  console.log(JSON.stringify(result.verdict));
}

/** The word behind `--secret` stays out of files. */
function masked(word: string, index: number, words: readonly string[]): string {
  if (word.startsWith("--secret=")) return "--secret=…";
  return words[index - 1] === "--secret" ? "…" : word;
}
