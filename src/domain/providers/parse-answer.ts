type Revive = (key: string, value: unknown, context: { source?: string }) => unknown;

/** TypeScript's library does not declare the reviver's third parameter yet (proposal "JSON.parse source text access"). */
const parseJson = JSON.parse as (text: string, revive: Revive) => unknown;

/**
 * A provider's answer as a document, with or without a byte-order mark. Integers that a double would change are texts:
 * they are ids of accounts, which go into addresses and headers as they came.
 *
 * @returns undefined when it is no JSON
 */
export function parseAnswer(body: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder().decode(body), (_key, value, { source }) =>
      typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? "")
        ? source
        : value,
    );
  } catch {
    return undefined;
  }
}
