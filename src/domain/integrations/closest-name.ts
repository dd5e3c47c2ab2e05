/** More changes than these make another word. */
const DISTANCE_MAX = 3;
const LENGTH_MAX = 64;

/** The name that was most likely meant: the one with the fewest changed letters, spelling of words apart. */
export function closestName(given: string, names: readonly string[]): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replace(/[-_. ]/g, "");
  if (given.length > LENGTH_MAX) return undefined;
  const [best] = names
    .map((name) => ({ name, distance: distanceOf(plain(given), plain(name)) }))
    .toSorted((left, right) => left.distance - right.distance);
  if (best === undefined) return undefined;
  const limit = Math.min(DISTANCE_MAX, Math.floor(best.name.length / 2));
  return best.distance <= limit ? best.name : undefined;
}

/** Levenshtein distance: letters to insert, delete or replace. */
function distanceOf(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replaced));
    }
    row = next;
  }
  return row[right.length]!;
}
