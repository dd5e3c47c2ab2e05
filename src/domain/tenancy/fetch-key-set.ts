/** A key set of a hundred RSA keys has some 60 KB; more is no key set. */
const KEY_SET_BYTES_MAX = 256 * 1024;

/**
 * Fetches a JSON Web Key Set with bounds that jose does not set: no redirect is followed, because it could lead
 * anywhere, and a body that does not end is not read on.
 *
 * @throws Error when the answer is a redirect or too large
 */
export async function fetchKeySet(
  url: string,
  options: { headers: Headers; method: "GET"; redirect: "manual"; signal: AbortSignal },
): Promise<Response> {
  const response = await fetch(url, { ...options, redirect: "manual" });
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new Error(`Cannot fetch the key set: redirect (${response.status})`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
    length += part.value.byteLength;
    if (length > KEY_SET_BYTES_MAX) {
      await reader?.cancel();
      throw new Error(`Cannot fetch the key set: more than ${KEY_SET_BYTES_MAX} bytes`);
    }
    chunks.push(part.value);
  }
  return new Response(Buffer.concat(chunks), {
    status: response.status,
    headers: { "content-type": response.headers.get("content-type") ?? "" },
  });
}
