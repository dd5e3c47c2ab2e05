import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { segmentsOfInterchange } from "../../src/platform/x12/readable.ts";
import type { X12Document } from "../../src/platform/x12/model.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import expected from "./expected.json";

/** Real documents beside the project; they are nobody's to copy into it. */
const SAMPLES_DIR = join(PROJECT_DIR, "../shared/samples/x12");

export const samplesAreThere = existsSync(SAMPLES_DIR);
if (!samplesAreThere) {
  console.warn(`!!! ${SAMPLES_DIR} is not there: the tests on real X12 documents are skipped !!!`);
}

export const readSample = (name: string): Uint8Array => readFileSync(join(SAMPLES_DIR, name));

/** What a reading of a file gives: see README.md. */
export type Reading =
  | { segments: number; sha256: string }
  | { refused: { code: string; segment: number; segmentId: string; element: number | null } };

export type Expectation = { strict: Reading; lenient?: Reading; unwrapped?: Reading };

export const expectations = Object.entries(expected as Record<string, Expectation>);

/** All segments of a document as they stand there. */
export function rawSegments(document: X12Document): string[] {
  return document.interchanges.flatMap((interchange) =>
    segmentsOfInterchange(interchange).map(({ start, end }) => document.text.slice(start, end)),
  );
}
