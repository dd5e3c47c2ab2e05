/** The name that somebody most likely meant. */
export function closest(name: string, known: readonly string[]): string {
  const wanted = name.toLowerCase();
  const near =
    known.find((one) => one.toLowerCase() === wanted) ??
    known.find((one) => isNear(wanted, one.toLowerCase()));
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function isNear(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 2 || one.length > 100) return false;
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const cost = one[row - 1] === other[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + cost,
        ),
      );
    }
    previous = current;
  }
  return (previous.at(-1) ?? 9) <= (one.length > 4 ? 2 : 1);
}
