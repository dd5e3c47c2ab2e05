import { parentPort } from "node:worker_threads";
import {
  compileInspector,
  type Inspection,
  type InspectionRecipe,
  type Inspector,
} from "./inspect-webhook.ts";

/** A request on its way to the thread; the body's memory moves with it. */
export interface InspectionTask {
  taskId: number;
  recipe: InspectionRecipe;
  method: string;
  publicUrl: string;
  headers: Record<string, string>;
  query: string;
  rawBody: Uint8Array;
  nowMs: number;
}

export type InspectionReply = { taskId: number } & (
  | { inspection: Inspection; body: Uint8Array }
  | { failure: string }
);

/** Prepared inspectors by their recipe; few endpoints get large bodies. */
const inspectors = new Map<string, Inspector>();
const INSPECTORS_MAX = 1000;

parentPort?.on("message", (task: InspectionTask) => {
  const { taskId, recipe, rawBody, publicUrl, headers, ...request } = task;
  try {
    const inspection = inspectorOf(recipe)({
      ...request,
      rawBody,
      publicUrl: () => publicUrl,
      headers: new Headers(headers),
    });
    const buffers = new Set<ArrayBufferLike>([rawBody.buffer]);
    if (inspection.kind === "event") buffers.add(inspection.stored.buffer);
    const reply: InspectionReply = { taskId, inspection, body: rawBody };
    parentPort?.postMessage(reply, [...buffers] as ArrayBuffer[]);
  } catch (error) {
    const reply: InspectionReply = {
      taskId,
      failure: error instanceof Error ? error.message : String(error),
    };
    parentPort?.postMessage(reply, []);
  }
});

function inspectorOf(recipe: InspectionRecipe): Inspector {
  const key = JSON.stringify(recipe);
  let inspector = inspectors.get(key);
  if (inspector === undefined) {
    if (inspectors.size >= INSPECTORS_MAX) inspectors.clear();
    inspectors.set(key, (inspector = compileInspector(recipe)));
  }
  return inspector;
}
