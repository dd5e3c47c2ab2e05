import { timingSafeEqual } from "node:crypto";

/**
 * Prepares a comparison of texts of one known length, for example encoded digests. Takes the same time wherever they
 * differ; the length itself is no secret. The two buffers are made once, because a comparison runs for every request.
 *
 * @param length characters of the expected text, which is ASCII
 */
export function textComparer(length: number): (expected: string, received: string) => boolean {
  const left = Buffer.alloc(length);
  const right = Buffer.alloc(length);
  return (expected, received) => {
    if (expected.length !== length || received.length !== length) return false;
    // A text that does not fill the buffer has other than ASCII characters, and would leave old bytes behind.
    if (left.write(expected, "utf8") !== length || right.write(received, "utf8") !== length) return false;
    return timingSafeEqual(left, right);
  };
}

/**
 * Prepares a comparison with a secret. Hashes of both are compared, so that neither content nor length of the secret
 * shows in the time taken.
 */
export function secretComparer(secret: string): (received: string) => boolean {
  const expected = Bun.SHA256.hash(secret);
  return (received) => timingSafeEqual(expected, Bun.SHA256.hash(received));
}
