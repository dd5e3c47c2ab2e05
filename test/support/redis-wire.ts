import type { Conversation, WireMessage } from "./fault-proxy.ts";
import { MessageCutter } from "./message-cutter.ts";

/** `*<n> evalsha <sha1>` as the client writes it. */
const EVALSHA = /^\*\d+\r\n\$7\r\nevalsha\r\n\$40\r\n([0-9a-f]{40})\r\n/i;
const EVALSHA_LENGTH = 80;

/**
 * Reads RESP2 and RESP3 (redis.io, "Redis serialization protocol"). Its points are calls of scripts, because all that
 * accepting and finishing write happens inside one; a reply belongs to the oldest command without one.
 *
 * @param scripts name of a point by the script's source
 */
export function redisConversation(scripts: Readonly<Record<string, string>>): Conversation {
  const pointBySha = new Map(
    Object.entries(scripts).map(([name, lua]) => [
      new Bun.CryptoHasher("sha1").update(lua).digest("hex"),
      name,
    ]),
  );
  const commands = new MessageCutter(endOfValue);
  const replies = new MessageCutter(endOfValue);
  const unanswered: (string | undefined)[] = [];
  return {
    fromClient: (chunk) =>
      commands.cut(chunk).map((bytes): WireMessage => {
        const sha = EVALSHA.exec(bytes.toString("latin1", 0, EVALSHA_LENGTH))?.[1];
        const point = sha === undefined ? undefined : pointBySha.get(sha.toLowerCase());
        unanswered.push(point);
        return { bytes, point };
      }),
    fromServer: (chunk) =>
      replies.cut(chunk).map((bytes): WireMessage => {
        const isPush = bytes[0] === PUSH;
        return { bytes, point: isPush ? undefined : unanswered.shift() };
      }),
  };
}

const PUSH = ">".charCodeAt(0);
const CR = 13;

/** Offset behind the value that begins at `at`; undefined while it is not complete. */
function endOfValue(buffer: Buffer, at: number): number | undefined {
  const lineEnd = buffer.indexOf(CR, at);
  if (lineEnd < 0 || lineEnd + 2 > buffer.length) return undefined;
  const type = String.fromCharCode(buffer[at]!);
  const afterLine = lineEnd + 2;
  if (!"$!=*~>%|".includes(type)) return afterLine;
  const length = Number(buffer.toString("latin1", at + 1, lineEnd));
  if (length < 0) return afterLine;
  if ("$!=".includes(type)) {
    const end = afterLine + length + 2;
    return end <= buffer.length ? end : undefined;
  }
  // A map has two values an item; an attribute also stands before the value that it is about.
  let values = type === "%" ? 2 * length : type === "|" ? 2 * length + 1 : length;
  let end: number | undefined = afterLine;
  for (; values > 0 && end !== undefined; values--)
    end = end < buffer.length ? endOfValue(buffer, end) : undefined;
  return end;
}
