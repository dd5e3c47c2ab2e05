import type { VersionRow } from "./store.ts";
import type { PauseState, TransformationRow } from "./store.ts";
import type { TestRow } from "./test-store.ts";
import type {
  Transformation,
  TransformationDetail,
  TransformationTest,
  TransformationVersion,
} from "./transformation-schema.ts";

/** A pause of one version. */
export type VersionPause = PauseState & { version: number };

/** A row as lists show it. */
export function presentTransformation(
  row: TransformationRow,
  pauses: readonly VersionPause[],
): Transformation {
  return {
    id: row.id,
    tenantId: row.tenantId,
    code: row.code,
    name: row.name,
    description: row.description,
    category: row.category,
    sourceFormat: row.sourceFormat,
    targetFormat: row.targetFormat,
    isSystem: row.isSystem,
    isActive: row.isActive,
    version: row.version,
    pauses: pauses.map((pause) => ({
      version: pause.version,
      code: pause.code,
      message: pause.message,
      failures: pause.failures,
      pauses: pause.pauses,
      pausedAt: new Date(pause.pausedAt).toISOString(),
      pausedUntil: new Date(pause.pausedUntil).toISOString(),
    })),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    createdBy: row.createdBy,
  };
}

/** A row with the content of its newest version. */
export function presentTransformationDetail(
  row: TransformationRow,
  pauses: readonly VersionPause[],
): TransformationDetail {
  return {
    ...presentTransformation(row, pauses),
    mappingRules: row.mappingRules,
    validationRules: row.validationRules,
  };
}

/** A version as the API shows it. */
export function presentVersion(row: VersionRow): TransformationVersion {
  return {
    id: row.id,
    templateId: row.templateId,
    version: row.version,
    note: row.note,
    restoredFrom: row.restoredFrom,
    subTemplates: row.subTemplates,
    sourceFormat: row.sourceFormat,
    targetFormat: row.targetFormat,
    mappingRules: row.mappingRules,
    validationRules: row.validationRules,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
  };
}

/** A test case as the API shows it. */
export function presentTest(row: TestRow): TransformationTest {
  const input = presentDocument(row.input);
  const expected = row.expected === null ? undefined : presentDocument(row.expected);
  return {
    id: row.id,
    name: row.name,
    input: input.text,
    inputEncoding: input.encoding,
    expected: expected?.text ?? null,
    expectedEncoding: expected?.encoding ?? null,
    expectedCode: row.expectedCode,
    lastPassed: row.lastPassed,
    lastMessage: row.lastMessage,
    lastRunAt: row.lastRunAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text where they are UTF-8, else in base64. */
export function presentDocument(bytes: Uint8Array): { text: string; encoding: "utf8" | "base64" } {
  try {
    return { text: utf8.decode(bytes), encoding: "utf8" };
  } catch {
    return { text: Buffer.from(bytes).toString("base64"), encoding: "base64" };
  }
}
