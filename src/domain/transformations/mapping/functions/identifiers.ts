import { createHash } from "node:crypto";
import { ValueFault } from "../value-fault.ts";
import { isUuid } from "../../../../platform/uuid.ts";
import {
  type MappingFunctions,
  optional,
  optionalConstant,
  type Parameter,
  required,
} from "./mapping-function.ts";

const ALGORITHMS = ["sha256", "sha512", "sha1", "md5"];
const ENCODINGS = ["hex", "base64", "base64url"];
/** Name space of names without one of their own: that of URLs (RFC 9562, section 6.6). */
const DEFAULT_NAMESPACE = "6ba7b811-9dad-11d1-80b4-00c04fd430c8";

const algorithm: Parameter = { ...optionalConstant("algorithm", "text"), oneOf: ALGORITHMS };
const encoding: Parameter = { ...optionalConstant("encoding", "text"), oneOf: ENCODINGS };

/** UUIDv5 (RFC 9562, section 5.5). */
function uuidOfName(name: string, namespace: string): string {
  const bytes = createHash("sha1")
    .update(Buffer.from(namespace.replaceAll("-", ""), "hex"))
    .update(name, "utf8")
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Functions that make identifiers. */
export const IDENTIFIER_FUNCTIONS: MappingFunctions = {
  uuid: {
    summary: "A new random UUID; another one each time the document is mapped",
    parameters: [],
    blanks: "take",
    make: () => () => crypto.randomUUID(),
  },
  uuidOf: {
    summary: "The UUID of a text (version 5): the same text gives the same UUID",
    parameters: [required("text", "text"), optional("namespace", "text")],
    make: () => (args) => {
      const namespace = (args[1] as string | undefined) ?? DEFAULT_NAMESPACE;
      if (!isUuid(namespace)) throw new ValueFault("invalid_value", "uuidOf: namespace must be a UUID");
      return uuidOfName(args[0] as string, namespace);
    },
  },
  hash: {
    summary: "The hash of a text: sha256 (default), sha512, sha1 or md5; hex (default), base64 or base64url",
    parameters: [required("text", "text"), algorithm, encoding],
    make: () => (args) => {
      const [text, name = "sha256", form = "hex"] = args as [
        string,
        string?,
        ("hex" | "base64" | "base64url")?,
      ];
      return createHash(name).update(text, "utf8").digest(form);
    },
  },
};
