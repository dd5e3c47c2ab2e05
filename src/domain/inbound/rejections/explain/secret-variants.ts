import type { SecretRule } from "../../schemes/scheme.ts";
import { readSecretKey } from "../../schemes/secret-key.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { asIs, type Variant } from "./variant.ts";

/** Secrets that a signature is tried with. */
export interface KnownSecrets {
  /** Those that verify: the current one first. */
  active: readonly string[];
  /** Earlier ones whose overlap has ended. */
  expired: readonly string[];
  /** Those of the tenant's other endpoints. */
  others: readonly { endpointId: string; endpointPath: string; secret: string }[];
}

const STORE_AGAIN =
  "Store the secret again without it (PUT the endpoint with `secretKey`), then verify this request again.";

const cause = (code: string, message: string, action: string): RejectionCause => ({ code, message, action });

type TextChange = (text: string, prefixes: readonly string[]) => Variant<string>[];

const one = (value: string | undefined, found: RejectionCause): Variant<string>[] =>
  value === undefined || value === "" ? [] : [{ value, causes: [found] }];

/** Ways in which a secret is copied wrongly: each gives the texts that may have been meant. */
const TEXT_CHANGES: readonly TextChange[] = [
  (text) => {
    const trimmed = text.trim();
    if (trimmed === text) return [];
    const what = /[\r\n]$/.test(text) ? "ends with a line break" : "begins or ends with white space";
    return one(trimmed, cause("secret_whitespace", `The stored secret ${what}.`, STORE_AGAIN));
  },
  (text) =>
    [
      ["\n", "a line break"],
      ["\r\n", "CR LF"],
      [" ", "a space"],
    ].flatMap(([end, words]) => {
      const message = `The sender's secret ends with ${words}, which the stored one does not have.`;
      const action = "Remove it at the sender (echo adds one: use printf), or store the secret with it.";
      return one(text + end!, cause("secret_whitespace", message, action));
    }),
  (text) => {
    const quoted = /^(["'`])([^]*)\1$/.exec(text.trim());
    return one(
      quoted?.[2],
      cause("secret_quoted", "The stored secret stands in quotation marks.", STORE_AGAIN),
    );
  },
  (text) => {
    const escaped = /^([^]*?)(?:\\r)?\\n$/.exec(text);
    const message = "The stored secret ends with a backslash and an n instead of a line break.";
    return one(escaped?.[1], cause("secret_escaped", message, STORE_AGAIN));
  },
  (text) => {
    const assigned = /^(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*=([^]+)$/.exec(text.trim());
    const message = "The stored secret is a whole line of an environment file, with the variable's name.";
    return one(assigned?.[1], cause("secret_assignment", message, STORE_AGAIN));
  },
  (text) => {
    const decoded = percentDecoded(text);
    return decoded === text
      ? []
      : one(decoded, cause("secret_url_encoded", "The stored secret is URL-encoded.", STORE_AGAIN));
  },
  (text) =>
    /^(?=.*[A-F])[0-9A-F]{16,}$/.test(text)
      ? one(
          text.toLowerCase(),
          cause(
            "secret_case",
            "The sender's secret is written in small letters.",
            "Store it as the sender has it.",
          ),
        )
      : [],
  (text, prefixes) =>
    prefixes.flatMap((prefix) => {
      if (text.startsWith(prefix + prefix)) {
        const message = `The stored secret begins with "${prefix}" twice.`;
        return one(text.slice(prefix.length), cause("secret_prefix", message, STORE_AGAIN));
      }
      if (!text.startsWith(prefix)) {
        const message = `The stored secret lacks the prefix "${prefix}" that the sender has.`;
        return one(
          prefix + text,
          cause("secret_prefix", message, "Store the whole secret, with its prefix."),
        );
      }
      return one(text.slice(prefix.length), withoutPrefix(prefix));
    }),
];

function withoutPrefix(prefix: string): RejectionCause {
  const message = `The sender uses the secret without its prefix "${prefix}".`;
  return cause(
    "secret_prefix",
    message,
    "Give the sender the whole secret, or store it as the sender has it.",
  );
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * A secret as it may have been meant: as it is first, then with one and with two mistakes of copying undone.
 *
 * @param prefixes that secrets of the scheme begin with
 */
export function secretTexts(secret: string, prefixes: readonly string[]): readonly Variant<string>[] {
  const found = new Map<string, Variant<string>>([[secret, asIs(secret)]]);
  let newest = [...found.values()];
  for (let depth = 0; depth < 2; depth++) {
    const next: Variant<string>[] = [];
    for (const { value, causes } of newest) {
      for (const change of TEXT_CHANGES) {
        for (const changed of change(value, prefixes)) {
          if (found.has(changed.value)) continue;
          const variant = { value: changed.value, causes: [...causes, ...changed.causes] };
          found.set(changed.value, variant);
          next.push(variant);
        }
      }
    }
    newest = next;
  }
  return [...found.values()];
}

/** Prefixes of the scheme's secrets, and the one that several providers share. */
export function secretPrefixes(rule: SecretRule): readonly string[] {
  return [...new Set([...rule.keys.map(({ prefix }) => prefix), "whsec_"])].filter((prefix) => prefix !== "");
}

/** The secrets that a sender may have used, as text: those that should verify first. */
export function secretCandidates(
  secrets: KnownSecrets,
  prefixes: readonly string[],
): readonly Variant<string>[] {
  return [
    ...secrets.active.flatMap((secret) => secretTexts(secret, prefixes)),
    ...secrets.expired.map((value) => ({ value, causes: [EXPIRED] })),
    ...secrets.others.map((other) => ({ value: other.secret, causes: [otherEndpoint(other)] })),
  ].sort((left, right) => left.causes.length - right.causes.length);
}

/** The keys that a sender may have signed with, those that should verify first. */
export function keyCandidates(rule: SecretRule, secrets: KnownSecrets): readonly Variant<Uint8Array>[] {
  const found = new Map<string, Variant<Uint8Array>>();
  const add = (bytes: Uint8Array | undefined, causes: readonly RejectionCause[]): void => {
    if (bytes === undefined || bytes.byteLength === 0) return;
    const name = Buffer.from(bytes).toString("hex");
    const known = found.get(name);
    if (known === undefined || causes.length < known.causes.length) found.set(name, { value: bytes, causes });
  };
  const prefixes = secretPrefixes(rule);
  const texts = secrets.active.flatMap((secret) => secretTexts(secret, prefixes));
  for (const { value, causes } of texts) add(ownReading(rule, value), causes);
  // After those: of two explanations with one mistake the plainer one stays.
  for (const { value, causes } of texts) {
    for (const reading of otherReadings(value, prefixes)) add(reading.value, [...causes, ...reading.causes]);
  }
  for (const secret of secrets.expired) add(ownReading(rule, secret), [EXPIRED]);
  for (const other of secrets.others) {
    for (const text of [other.secret, other.secret.trim()]) {
      add(ownReading(rule, text), [otherEndpoint(other)]);
      add(Buffer.from(text), [otherEndpoint(other)]);
    }
  }
  return [...found.values()].sort((left, right) => left.causes.length - right.causes.length);
}

/** An earlier secret was used. */
export const EXPIRED = cause(
  "previous_secret_expired",
  "The sender uses an earlier secret, whose overlap has ended.",
  "Give the sender the present secret; at the next rotation choose a longer `overlapSeconds`.",
);

/** Names the endpoint whose secret was used. */
export function otherEndpoint(other: KnownSecrets["others"][number]): RejectionCause {
  return {
    code: "other_endpoint_secret",
    message: `The sender uses the secret of the endpoint "${other.endpointPath}".`,
    action: "Give the sender this endpoint's secret, or the other endpoint's address.",
    endpointId: other.endpointId,
  };
}

function ownReading(rule: SecretRule, secret: string): Uint8Array | undefined {
  const key = readSecretKey(rule, secret);
  return "fault" in key ? undefined : key.bytes;
}

/** The text taken as key in every other way that senders do. */
function otherReadings(text: string, prefixes: readonly string[]): Variant<Uint8Array | undefined>[] {
  const prefix = prefixes.find((known) => text.startsWith(known)) ?? "";
  const rest = text.slice(prefix.length);
  const reading = (value: Uint8Array | undefined, words: string): Variant<Uint8Array | undefined> => ({
    value,
    causes: [
      cause(
        "secret_encoding",
        `The sender uses ${words} as key; this endpoint's scheme reads it otherwise.`,
        "Choose the form that the sender uses (for the scheme `hmac`: `signatureSettings.keyForm`), or store the secret in the form of the scheme.",
      ),
    ],
  });
  const isBase64 = /^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(rest);
  const isHex = rest.length % 2 === 0 && /^[0-9a-f]{8,}$/i.test(rest);
  return [
    reading(Buffer.from(text), "the secret's text"),
    { value: Buffer.from(rest), causes: [withoutPrefix(prefix)] },
    reading(isBase64 ? Buffer.from(rest, "base64") : undefined, "the bytes that the secret is the base64 of"),
    reading(isHex ? Buffer.from(rest, "hex") : undefined, "the bytes that the secret is the hex of"),
    reading(Buffer.from(Buffer.from(text).toString("base64")), "the secret's text in base64"),
    reading(Buffer.from(Buffer.from(text).toString("hex")), "the secret's text in hex"),
  ];
}
