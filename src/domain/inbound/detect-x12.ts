const X12_TYPE = /^\s*application\/(?:edi-)?x12\s*(?:;|$)/i;

/** A header that begins later than this is none: byte-order mark and white space come before it at most. */
const HEADER_WITHIN_BYTES = 64;

/** Content type of X12 (RFC 1767). */
export function isX12Type(contentType: string | undefined): boolean {
  return contentType !== undefined && X12_TYPE.test(contentType);
}

/** Whether a body begins with an ISA segment, whatever its separator: many senders say text/plain. */
export function beginsWithIsa(body: Uint8Array): boolean {
  const head = Buffer.from(
    body.buffer,
    body.byteOffset,
    Math.min(body.byteLength, HEADER_WITHIN_BYTES),
  ).toString("latin1");
  return /^(?:\u00ef\u00bb\u00bf)?\s*ISA[^A-Za-z0-9\s]/.test(head);
}
