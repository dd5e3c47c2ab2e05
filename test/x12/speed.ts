import { X12Parser } from "node-x12";
import { buildTree } from "../../src/platform/x12/build-tree.ts";
import { checkDocument } from "../../src/platform/x12/check-set.ts";
import { fromReadable } from "../../src/platform/x12/from-readable.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { toReadable } from "../../src/platform/x12/readable.ts";
import { loadTender } from "./documents.ts";

/**
 * Documents a second on one core for a 204 of about 2 KB, beside node-x12 in strict mode: median of alternating rounds.
 * `bun test/x12/speed.ts`
 */
const ROUNDS = 5;
const ROUND_MS = 1_000;
const WARM_UP_RUNS = 5_000;

const text = loadTender();
const bytes = Buffer.from(text);
const peer = new X12Parser(true);
let sink = 0;

const runs: Readonly<Record<string, () => void>> = {
  "node-x12 strict": () => {
    sink += peer.parse(text) === null ? 0 : 1;
  },
  "tokenise + envelope checks": () => {
    sink += parseInterchanges(bytes).interchanges.length;
  },
  "the same + tree with loops and positions": () => {
    for (const set of parseInterchanges(bytes).interchanges[0]!.groups[0]!.sets)
      sink += buildTree(set).loopOf.length;
  },
  "the same + all checks of the set": () => {
    const document = parseInterchanges(bytes);
    checkDocument(document);
    sink += document.accepted ? 1 : 0;
  },
  "readable JSON": () => {
    sink += toReadable(parseInterchanges(bytes)).interchanges.length;
  },
  "readable JSON and back to bytes": () => {
    const outcome = fromReadable(toReadable(parseInterchanges(bytes)));
    sink += outcome.ok ? outcome.bytes.byteLength : 0;
  },
};

/** Runs a second of each in a process of its own: one that does all of them would measure each other's garbage. */
function measure(run: () => void): number {
  for (let index = 0; index < WARM_UP_RUNS; index += 1) run();
  const start = performance.now();
  let count = 0;
  let now = start;
  while (now - start < ROUND_MS) {
    for (let index = 0; index < 50; index += 1) run();
    count += 50;
    now = performance.now();
  }
  return (count / (now - start)) * 1_000;
}

const [, , only] = process.argv;
if (only !== undefined) {
  console.log(measure(runs[only]!));
  process.exit(sink > 0 ? 0 : 1);
}

const rates = new Map<string, number[]>(Object.keys(runs).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const name of Object.keys(runs)) {
    const child = Bun.spawnSync([process.execPath, import.meta.path, name]);
    rates.get(name)!.push(Number(child.stdout.toString()));
  }
}
const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[values.length >> 1]!;
const base = median(rates.get("node-x12 strict")!);
console.log(`204 of ${bytes.byteLength} bytes, Bun ${Bun.version}, median of ${ROUNDS} rounds`);
for (const [name, values] of rates) {
  const rate = median(values);
  console.log(
    `${name.padEnd(44)} ${Math.round(rate).toString().padStart(8)}/s  ${(rate / base).toFixed(2)} x`,
  );
}
