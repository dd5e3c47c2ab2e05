import { median } from "./table.ts";

/** What one section of `bench transform` gives. */
export interface TransformSection {
  /** Sections of the report, Markdown. */
  sections: string[];
  /** Everything measured. */
  data: unknown;
  /** For the last line. */
  verdict: Record<string, unknown>;
  /** Numbers that are to be reached, each with what was reached. */
  gates: { name: string; value: number; atLeast: number }[];
}

export interface SectionOptions {
  rounds: number;
  /** Length of one run of one contender. */
  seconds: number;
}

/** One way of doing the same work. */
export interface Contender {
  name: string;
  /** Does `count` pieces of work, one after the other or as many at once as it likes. */
  run(count: number): void | Promise<void>;
}

/** Pieces between two looks at the clock. */
const BATCH = 200;
/** Before the first round: time for the compilers of the engine. */
const WARM_UP_SECONDS = 0.5;

/**
 * Runs contenders in turn, round by round, so that a slow moment of the machine meets all of them.
 *
 * @returns for each contender its rates by round (pieces a second of wall time) and their median
 */
export async function compareRates(
  contenders: readonly Contender[],
  { rounds, seconds }: SectionOptions,
): Promise<{ name: string; rates: number[]; perSecond: number }[]> {
  const rates = contenders.map((): number[] => []);
  for (const contender of contenders) await measure(contender, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries())
      rates[index]?.push(await measure(contender, seconds));
  }
  return contenders.map(({ name }, index) => ({
    name,
    rates: rates[index] ?? [],
    perSecond: median(rates[index] ?? []),
  }));
}

async function measure(contender: Contender, seconds: number): Promise<number> {
  Bun.gc(true);
  const startMs = performance.now();
  let done = 0;
  let elapsedMs = 0;
  while (elapsedMs < seconds * 1000) {
    await contender.run(BATCH);
    done += BATCH;
    elapsedMs = performance.now() - startMs;
  }
  return (done / elapsedMs) * 1000;
}
