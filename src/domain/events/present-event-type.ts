import { type BuiltInType, schemaOfSample } from "./built-in-types.ts";
import type { EventType } from "./event-type-schema.ts";
import type { EventTypeRow } from "./event-type-store.ts";

/** A tenant's description of a type as the API shows it; what it leaves open is the built-in type's. */
export function presentEventType(row: EventTypeRow, builtIn: BuiltInType | undefined): EventType {
  return {
    type: row.type,
    origin: "TENANT",
    description: row.description ?? builtIn?.description ?? null,
    version: row.version,
    schema: row.schema,
    sample: row.sample ?? builtIn?.sample ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** A built-in type as the API shows it. */
export function presentBuiltInType(type: string, builtIn: BuiltInType): EventType {
  const { origin, description, sample } = builtIn;
  const schema = origin === "HUB" ? schemaOfSample(sample) : null;
  return {
    type,
    origin,
    description,
    version: null,
    schema,
    sample,
    createdAt: null,
    updatedAt: null,
  };
}
