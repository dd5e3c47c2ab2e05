import { readFileSync } from "node:fs";
import { readRecords, type RecordFormat } from "../../src/platform/formats/read-records.ts";
import { openRecordWriter } from "../../src/platform/formats/record-writer.ts";
import type { SettingsOf } from "../../src/platform/formats/settings.ts";
import { type Cell, formatTable, median, rounded } from "./table.ts";
import type { SectionOptions, TransformSection } from "./transform-section.ts";

const MEBIBYTE = 1_048_576;
const STREAM_BYTES = 10 * MEBIBYTE;
/** What the streams may take beyond the idle process. */
const EXTRA_MIB_MAX = 64;
const CHUNK_RECORDS = 200;

/** What one stream cost a process of its own. */
export interface StreamCost {
  format: RecordFormat;
  bytes: number;
  records: number;
  seconds: number;
  /** Peak of resident memory over what the process held with everything imported. */
  extraBytes: number;
}

const SETTINGS: { [F in RecordFormat]: SettingsOf<F> } = {
  CSV: {},
  XML: { recordPath: "/loads/load" },
};

function csvRecord(index: number): string {
  return `L-${index},"Acme, Inc. ""West""",Memphis,TN,38118,${index % 50_000}.5,2026-11-23T08:00:00Z,=1+1,délai\r\n`;
}

function xmlRecord(index: number): string {
  return (
    `<load id="L-${index}"><shipper>Acme &amp; Sons</shipper><stop n="1"><city>Memphis</city><zip>38118</zip></stop>` +
    `<stop n="2"><city>Montréal</city><zip>H2Y</zip></stop><weight unit="LB">${index % 50_000}.5</weight></load>\n`
  );
}

const PARTS: Readonly<Record<RecordFormat, { head: string; record(index: number): string; tail: string }>> = {
  CSV: { head: "id,shipper,city,state,zip,weight,pickup,note,remark\r\n", record: csvRecord, tail: "" },
  XML: { head: "<loads>\n", record: xmlRecord, tail: "</loads>" },
};

/** Ten megabytes that are made as they are read. */
function* makeStream(format: RecordFormat): Generator<Uint8Array, void> {
  const encoder = new TextEncoder();
  const { head, record, tail } = PARTS[format];
  yield encoder.encode(head);
  let made = 0;
  for (let index = 0; made < STREAM_BYTES; index += CHUNK_RECORDS) {
    const chunk = encoder.encode(
      Array.from({ length: CHUNK_RECORDS }, (_, at) => record(index + at)).join(""),
    );
    made += chunk.byteLength;
    yield chunk;
  }
  yield encoder.encode(tail);
}

/** Reads the stream and writes it back, record by record, in this process. */
async function copyStream<F extends RecordFormat>(format: F): Promise<StreamCost> {
  Bun.gc(true);
  const idleBytes = process.memoryUsage().rss;
  const startMs = performance.now();
  const writer = openRecordWriter(format, SETTINGS[format]);
  let bytes = 0;
  let records = 0;
  for await (const outcome of readRecords(format, makeStream(format), SETTINGS[format])) {
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
    const written = writer.write(outcome.record);
    if (!written.ok) throw new Error(JSON.stringify(written.faults));
    bytes += written.bytes.byteLength;
    records++;
  }
  if (!writer.end().ok) throw new Error("the stream could not be ended");
  const peakKilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  const extraBytes = Number(peakKilobytes) * 1024 - idleBytes;
  return { format, bytes, records, seconds: (performance.now() - startMs) / 1000, extraBytes };
}

/** Runs a stream of ten megabytes in a process of its own. */
export async function runStream(format: RecordFormat): Promise<StreamCost> {
  const child = Bun.spawn([process.execPath, import.meta.path, format], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`The stream of ${format} ended with ${child.exitCode}`);
  return JSON.parse(output) as StreamCost;
}

/** 10 MB of CSV and of XML, record by record through reader and writer: rate and memory. */
export async function measureStreams({ rounds }: SectionOptions): Promise<TransformSection> {
  const runs: StreamCost[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const format of ["CSV", "XML"] as const) runs.push(await runStream(format));
  }
  const results = [...Map.groupBy(runs, ({ format }) => format)].map(([format, costs]) => ({
    format,
    megabytesPerSecond: median(costs.map(({ bytes, seconds }) => bytes / MEBIBYTE / seconds)),
    recordsPerSecond: median(costs.map(({ records, seconds }) => records / seconds)),
    extraMebibytes: Math.max(...costs.map(({ extraBytes }) => extraBytes)) / MEBIBYTE,
  }));
  const rows = results.map(({ format, megabytesPerSecond, recordsPerSecond, extraMebibytes }): Cell[] => [
    format,
    megabytesPerSecond,
    recordsPerSecond,
    extraMebibytes,
  ]);
  return {
    sections: [
      "Streams of 10 MB, read and written record by record in a process of its own; memory is the most of all rounds, " +
        "over the idle process with everything imported.",
      formatTable(["format", "MiB/s", "records/s", "extra MiB"], rows),
    ],
    data: runs,
    verdict: Object.fromEntries(
      results.map(({ format, extraMebibytes }) => [
        `${format.toLowerCase()}StreamExtraMiB`,
        rounded(extraMebibytes, 1),
      ]),
    ),
    gates: results.map(({ format, extraMebibytes }) => ({
      name: `${format} stream: ${EXTRA_MIB_MAX} MiB ÷ extra memory`,
      value: rounded(EXTRA_MIB_MAX / extraMebibytes, 2),
      atLeast: 1,
    })),
  };
}

if (import.meta.main) {
  const format = process.argv[2];
  if (format !== "CSV" && format !== "XML") throw new Error("The format is CSV or XML");
  console.log(JSON.stringify(await copyStream(format)));
}
