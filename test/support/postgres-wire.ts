import type { Conversation, WireMessage } from "./fault-proxy.ts";
import { MessageCutter } from "./message-cutter.ts";

const COMMIT = /^\s*commit\b/i;

/**
 * Reads the frontend/backend protocol 3.0 (PostgreSQL documentation, chapter 55). Its one point is `commit`: on the way
 * in the Query, or the Bind of a statement prepared for it; on the way out CommandComplete.
 */
export function postgresConversation(): Conversation {
  let started = false;
  const statements = new Map<string, string>();
  const requests = new MessageCutter((buffer, at) => {
    const end = endOfMessage(buffer, at, started ? 1 : 0);
    started ||= end !== undefined;
    return end;
  });
  const answers = new MessageCutter((buffer, at) => endOfMessage(buffer, at, 1));
  const isCommit = (bytes: Buffer): boolean => {
    const type = String.fromCharCode(bytes[0]!);
    const [first = "", second = ""] = bytes.toString("latin1", 5).split("\0", 2);
    if (type === "P") statements.set(first, second);
    // Parse: statement name, query. Bind: portal, statement name. Query: the text alone.
    return (
      (type === "B" && COMMIT.test(statements.get(second) ?? "")) || (type === "Q" && COMMIT.test(first))
    );
  };
  return {
    fromClient: (chunk) =>
      requests
        .cut(chunk)
        .map((bytes): WireMessage => ({ bytes, point: isCommit(bytes) ? "commit" : undefined })),
    fromServer: (chunk) =>
      answers.cut(chunk).map((bytes): WireMessage => {
        const isCompletion =
          bytes.toString("latin1", 0, 1) === "C" && bytes.toString("latin1", 5, 11) === "COMMIT";
        return { bytes, point: isCompletion ? "commit" : undefined };
      }),
  };
}

/** The length counts itself and stands after the type, which only the first message of a connection has not. */
function endOfMessage(buffer: Buffer, at: number, typeBytes: number): number | undefined {
  if (at + typeBytes + 4 > buffer.length) return undefined;
  const end = at + typeBytes + buffer.readInt32BE(at + typeBytes);
  return end <= buffer.length ? end : undefined;
}
