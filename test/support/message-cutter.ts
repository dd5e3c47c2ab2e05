/** Cuts a stream of bytes into whole messages; a part that is not complete waits for the next chunk. */
export class MessageCutter {
  readonly #endOf: (buffer: Buffer, at: number) => number | undefined;
  #rest: Buffer | undefined;

  /** @param endOf offset behind the message that begins at `at`; undefined while it is not complete */
  constructor(endOf: (buffer: Buffer, at: number) => number | undefined) {
    this.#endOf = endOf;
  }

  /** @returns the messages that `chunk` completed, in order */
  cut(chunk: Buffer): Buffer[] {
    const buffer = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    let at = 0;
    while (at < buffer.length) {
      const end = this.#endOf(buffer, at);
      if (end === undefined) break;
      messages.push(buffer.subarray(at, end));
      at = end;
    }
    this.#rest = at < buffer.length ? Buffer.from(buffer.subarray(at)) : undefined;
    return messages;
  }
}
