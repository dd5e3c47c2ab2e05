import { deepStrictEqual } from "node:assert/strict";
import { compileExpression } from "../src/domain/transformations/compile-expression.ts";
import { compilePipeline } from "../src/domain/transformations/document-pipeline.ts";
import { createJsonataPool, type JsonataPool } from "../src/domain/transformations/jsonata-pool.ts";
import { recipeOf } from "../src/domain/transformations/load-template.ts";
import { compileMapping } from "../src/domain/transformations/mapping/compile-mapping.ts";
import { createLogger } from "../src/platform/log.ts";
import { type Benchmark, defineBenchmark } from "./support/benchmark.ts";
import { choice, wholeNumber } from "./support/command-line.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, rounded } from "./support/table.ts";
import {
  type ExampleTender,
  exampleTender,
  FLAT_JSONATA,
  mapTenderByHand,
  TENDER_JSONATA,
  TENDER_RULES,
} from "./support/transform-documents.ts";
import { measureStreams } from "./support/transform-streams.ts";
import { measureX12 } from "./support/transform-x12.ts";
import {
  compareRates,
  type Contender,
  type SectionOptions,
  type TransformSection,
} from "./support/transform-section.ts";

const FLAGS = {
  rounds: wholeNumber("times that all is gone through; the median counts", {
    hint: "n",
    fallback: 5,
    min: 1,
    max: 20,
  }),
  seconds: wholeNumber("length of one run", { hint: "n", fallback: 3, min: 1, max: 60 }),
  only: choice("one section only", ["all", "rules", "jsonata", "x12", "streams"], "all"),
};

/** Sections by name; those of X12 and streams bring packages of their own. */
const SECTIONS: Readonly<Record<string, (options: SectionOptions) => Promise<TransformSection>>> = {
  rules: measureRules,
  jsonata: measureJsonata,
  x12: measureX12,
  streams: measureStreams,
};

export const transformBenchmark: Benchmark = defineBenchmark({
  name: "transform",
  summary: "documents mapped a second: rules, JSONata, X12; streams of CSV and XML",
  about: [
    "Maps documents of 2 KB from bytes to bytes on one core: by rules against JSON.parse + hand-written TypeScript +",
    "JSON.stringify; by JSONata in the killable processes against JSONata in this process; X12 against other parsers.",
    "All outputs are compared before measuring.",
    "Quick look: --rounds 1 --seconds 1",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const results: [string, TransformSection][] = [];
    for (const [name, measure] of Object.entries(SECTIONS)) {
      if (flags.only !== "all" && flags.only !== name) continue;
      console.log(`\n${name}:`);
      const result = await measure(flags);
      results.push([name, result]);
      console.log(result.sections.join("\n\n"));
    }
    const gates = results.flatMap(([, { gates: reached }]) => reached);
    const rows = gates.map(({ name, value, atLeast }): Cell[] => [
      name,
      value,
      atLeast,
      value >= atLeast ? "yes" : "no",
    ]);
    const table = formatTable(["number", "reached", "to reach", ""], rows);
    console.log(`\n${table}`);
    await publishResult({
      name: "transform",
      sections: [...results.flatMap(([, { sections }]) => sections), table],
      data: Object.fromEntries(results.map(([name, { data }]) => [name, data])),
      verdict: {
        bench: "transform",
        ...Object.assign({}, ...results.map(([, { verdict }]) => verdict)),
        reached: gates.every(({ value, atLeast }) => value >= atLeast),
      },
    });
  },
});

/** Different documents, so that no engine learns one by heart. */
const DOCUMENTS = Array.from({ length: 64 }, (_, number) => exampleTender(number));
const BODIES = DOCUMENTS.map((document) => Buffer.from(JSON.stringify(document)));
const bodyAt = (index: number): Buffer => BODIES[index & 63]!;

const synchronous = (name: string, map: (index: number) => void): Contender => ({
  name,
  run: (count) => {
    for (let index = 0; index < count; index++) map(index);
  },
});

async function measureRules(options: SectionOptions): Promise<TransformSection> {
  const deps = { evaluateJsonata: () => Promise.reject(new Error("Cannot evaluate here")) };
  const content = {
    sourceFormat: "JSON",
    targetFormat: "JSON",
    mappingRules: TENDER_RULES,
    validationRules: null,
  } as const;
  const pipeline = compilePipeline(recipeOf(content, {}), deps);
  const engine = compileMapping(TENDER_RULES);
  const byHand = (body: Buffer) =>
    Buffer.from(JSON.stringify(mapTenderByHand(JSON.parse(body.toString()) as ExampleTender)));
  for (const body of BODIES) {
    const outcome = await pipeline.transform({ bytes: body }, {});
    if (!outcome.ok) throw new Error(`The rules refuse the document: ${JSON.stringify(outcome)}`);
    deepStrictEqual(JSON.parse(Buffer.from(outcome.bytes).toString()), JSON.parse(byHand(body).toString()));
  }
  const runs = await compareRates(
    [
      synchronous("rules, bytes to bytes", (index) => void pipeline.transform({ bytes: bodyAt(index) }, {})),
      synchronous("by hand, bytes to bytes", (index) => void byHand(bodyAt(index))),
      synchronous(
        "JSON.parse + JSON.stringify",
        (index) => void JSON.stringify(JSON.parse(bodyAt(index).toString())),
      ),
      synchronous("rules, value to value", (index) => void engine.run(DOCUMENTS[index & 63])),
    ],
    options,
  );
  const [rules, hand] = [runs[0]!.perSecond, runs[1]!.perSecond];
  return {
    sections: [
      `Rules: JSON of ${Math.round(bodyAt(0).byteLength / 100) / 10} KB, 35 places written, one core.`,
      formatTable(
        ["documents", "a second"],
        runs.map(({ name, perSecond }): Cell[] => [name, Math.round(perSecond)]),
      ),
    ],
    data: runs,
    verdict: { rulesPerSecond: Math.round(rules), ofHandWritten: rounded(rules / hand, 3) },
    gates: [
      { name: "rules, bytes to bytes, a second", value: Math.round(rules), atLeast: 65_000 },
      { name: "rules of hand-written", value: rounded(rules / hand, 3), atLeast: 0.2 },
    ],
  };
}

/** Documents that wait for the pool at a time: one consumer's batch. */
const IN_FLIGHT = 100;

async function measureJsonata(options: SectionOptions): Promise<TransformSection> {
  const pool = createJsonataPool({
    processes: 2,
    memoryLimitBytes: 256 * 1024 * 1024,
    deadlineMs: 1_000,
    queueMaxPerKey: 1_000,
    log: createLogger("warn", "bench"),
  });
  try {
    const sections: string[] = [];
    const data: Record<string, unknown> = {};
    const ratios: Record<string, number> = {};
    let flatPerSecond = 0;
    for (const [name, expression] of [
      ["nested", TENDER_JSONATA],
      ["flat", FLAT_JSONATA],
    ] as const) {
      const runs = await compareRates([throughPool(pool, expression), await inProcess(expression)], options);
      const [through, inside] = [runs[0]!.perSecond, runs[1]!.perSecond];
      sections.push(
        formatTable(
          [`JSONata, ${name} map`, "a second"],
          runs.map((run): Cell[] => [run.name, Math.round(run.perSecond)]),
        ),
      );
      data[name] = runs;
      ratios[name] = rounded(through / inside, 3);
      if (name === "flat") flatPerSecond = Math.round(through);
    }
    return {
      sections,
      data,
      verdict: { jsonataFlatPerSecond: flatPerSecond, jsonataOfInProcess: ratios },
      gates: [
        { name: "JSONata through the process, flat map, a second", value: flatPerSecond, atLeast: 20_000 },
        { name: "JSONata of in-process, nested map", value: ratios["nested"] ?? 0, atLeast: 0.6 },
        { name: "JSONata of in-process, flat map", value: ratios["flat"] ?? 0, atLeast: 0.6 },
      ],
    };
  } finally {
    await pool.close();
  }
}

/** One endpoint's documents: a key occupies one process. */
function throughPool(pool: JsonataPool, expression: string): Contender {
  return {
    name: "in a killable process",
    run: async (count) => {
      for (let done = 0; done < count; done += IN_FLIGHT) {
        const batch = Array.from({ length: IN_FLIGHT }, async (_, index) => {
          const outcome = await pool.evaluate({ key: "bench", expression, input: bodyAt(index).toString() });
          if (!outcome.ok) throw new Error(`The pool refuses: ${outcome.message}`);
        });
        await Promise.all(batch);
      }
    },
  };
}

async function inProcess(expression: string): Promise<Contender> {
  const compiled = compileExpression(expression);
  return {
    name: "in this process",
    run: async (count) => {
      for (let index = 0; index < count; index++)
        JSON.stringify(await compiled.evaluate(JSON.parse(bodyAt(index).toString()), 1_000));
    },
  };
}
