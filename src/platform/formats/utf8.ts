/**
 * Offset of the first byte that is not part of well-formed UTF-8 (Unicode 16, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF), -1 when all are.
 */
export function findBrokenUtf8(bytes: Uint8Array): number {
  const { length } = bytes;
  let at = 0;
  while (at < length) {
    const first = bytes[at]!;
    if (first < 0x80) {
      at++;
      continue;
    }
    const size = sequenceLength(first);
    if (size === 0 || at + size > length) return at;
    const second = bytes[at + 1]!;
    if (second < secondMin(first) || second > secondMax(first)) return at;
    for (let index = 2; index < size; index++) {
      if ((bytes[at + index]! & 0xc0) !== 0x80) return at;
    }
    at += size;
  }
  return -1;
}

/** How many bytes at the end begin a character that is not whole: 0 to 3. */
export function incompleteTail(bytes: Uint8Array): number {
  const { length } = bytes;
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = bytes[length - back]!;
    if ((byte & 0xc0) !== 0x80) return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

/** Bytes of the character that this byte begins; 0 where none can. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

function secondMin(first: number): number {
  if (first === 0xe0) return 0xa0;
  return first === 0xf0 ? 0x90 : 0x80;
}

function secondMax(first: number): number {
  if (first === 0xed) return 0x9f;
  return first === 0xf4 ? 0x8f : 0xbf;
}
