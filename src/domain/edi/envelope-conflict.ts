import { HubError } from "../errors.ts";

/**
 * Runs a write of a partner; another one with the same envelope is told as such.
 *
 * @throws HubError 409 `conflict` when another partner of the tenant has the same four ids
 */
export async function refuseDoubledEnvelope<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const { code, constraint_name: constraint } = error as { code?: unknown; constraint_name?: unknown };
    if (code !== "23505" || constraint !== "x12_partners_envelope") throw error;
    throw new HubError(
      "conflict",
      "Another partner has these interchange ids: by them its documents are recognised.",
    );
  }
}
