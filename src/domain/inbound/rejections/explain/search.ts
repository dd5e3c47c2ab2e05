import type { RejectionCause } from "../rejection-cause.ts";
import type { Variant } from "./variant.ts";

/** What is combined until a signature fits. */
export interface SearchSpace<Face, Key> {
  /** The signatures in the request, each as what it may be. */
  faces: readonly Variant<Face>[];
  keys: readonly Variant<Key>[];
  bodies: readonly Variant<Uint8Array>[];
  urls: readonly Variant<string>[];
}

/** More mistakes at once than these would be guessing. */
const MISTAKES_MAX = 2;

/** Time that one explanation may compute, and how long it holds up the event loop at a stretch. */
const WORK_MS_MAX = 400;
export const STRETCH_MS = 4;

/** Trials that one explanation may make, whatever the machine. */
const TRIALS_MAX = 50_000;

/**
 * Combines keys, bodies and addresses, those with the fewest mistakes first, until a signature fits. Pauses for other
 * work all the time: it runs in a process that accepts webhooks.
 *
 * @param fits true when the face is the signature of this combination
 * @returns the mistakes of the combination that fits; undefined when none did
 */
export async function findMistakes<Face, Key>(
  space: SearchSpace<Face, Key>,
  fits: (face: Face, key: Key, body: Uint8Array, url: string) => boolean,
): Promise<RejectionCause[] | undefined> {
  let workMs = 0;
  let trials = 0;
  let stretchFrom = performance.now();
  for (const { key, body, url } of combinations(space)) {
    for (const face of space.faces) {
      if (fits(face.value, key.value, body.value, url.value)) {
        return [...face.causes, ...key.causes, ...body.causes, ...url.causes];
      }
      if (++trials >= TRIALS_MAX) return undefined;
    }
    const stretchMs = performance.now() - stretchFrom;
    if (stretchMs < STRETCH_MS) continue;
    workMs += stretchMs;
    if (workMs > WORK_MS_MAX) return undefined;
    // oxlint-disable-next-line no-await-in-loop -- gives way to requests
    await new Promise((resolve) => setImmediate(resolve));
    stretchFrom = performance.now();
  }
  return undefined;
}

function* combinations<Face, Key>({ keys, bodies, urls }: SearchSpace<Face, Key>) {
  for (let mistakes = 0; mistakes <= MISTAKES_MAX; mistakes++) {
    for (const key of keys) {
      for (const body of bodies) {
        const left = mistakes - key.causes.length - body.causes.length;
        if (left < 0) continue;
        for (const url of urls) if (url.causes.length === left) yield { key, body, url };
      }
    }
  }
}
