import type { TObject } from "@sinclair/typebox";
import type { DigestEncoding, HmacHash } from "../../../platform/crypto/hmac.ts";

/**
 * How one provider proves that a request is its own, as data. A scheme is one constant in a file of its own; the
 * engine reads it and knows no provider by name. Header names are written in lower case.
 */
export interface Scheme {
  /** Kebab case, the value of `signatureScheme`. */
  name: string;
  title: string;
  /** Page of the provider, or standard, that the rules were taken from. */
  source: string;
  /** Fixed, or made from what the endpoint's owner set where the sender is free to choose. */
  rule: Rule | ((settings: SchemeSettings) => Rule);
  /** Columns with which the owner says what the sender does; elsewhere they may only repeat what the provider fixed. */
  ownerChooses?: readonly ("signatureHeader" | "signatureAlgorithm")[];
  /** What `signatureSettings` may hold; nothing when left out. */
  settings?: TObject;
  /** Rules between several settings that a schema cannot say. */
  checkSettings?: (settings: SchemeSettings) => readonly SettingFault[];
  /** Where the event's id and type stand unless the endpoint names other places. */
  eventId?: EventSource;
  eventType?: EventSource;
  challenges?: readonly Challenge[];
  /** Body of the 200 where the provider wants another than the hub's. */
  accepted?: FixedAnswer;
  /** Places of secrets besides the one that is compared; never stored. */
  secretFields?: readonly SecretField[];
}

/** The columns of an endpoint that a scheme reads. */
export interface SchemeSettings {
  signatureHeader?: string | null;
  signatureAlgorithm?: string | null;
  signatureSettings?: Readonly<Record<string, unknown>> | null;
}

/** One fault in the settings; `path` is a JSON pointer into the endpoint. */
export interface SettingFault {
  path: string;
  message: string;
}

export type Rule = SignatureRule | TokenRule | BasicRule | NoRule;

/** A signature over parts of the request. */
export interface SignatureRule {
  kind: "signature";
  /**
   * Spellings of the headers, most specific first. The first spelling of which any header is present is used alone:
   * a mixture would let a signed id of one spelling stand beside an unsigned one of the other.
   */
  headers: readonly SignatureHeaders[];
  grammar: HeaderGrammar;
  /** What is signed, in order; the body stands in it once. */
  signed: readonly SignedPart[];
  /** When the request was signed; required wherever the provider signs a time. */
  time?: TimeRule;
  secret: SecretRule;
}

export interface SignatureHeaders {
  signature: string;
  /** Time of signing, unless it stands inside the signature header. */
  timestamp?: string;
  /** The message's id where it is signed. */
  id?: string;
}

/** How one signature is computed. `upperHex`: written in capitals is accepted too; a mixture never is. */
export type Algorithm =
  | { type: "hmac"; hash: HmacHash; encoding: DigestEncoding; upperHex?: boolean }
  | { type: "ed25519" };

/** How signatures stand in their header. */
export type HeaderGrammar =
  /** The whole value, behind a fixed prefix: `sha256=<signature>`. */
  | { form: "whole"; prefix: string; algorithm: Algorithm }
  /** `t=1614265330,v1=<signature>,v1=<signature>`; fields that are not named are ignored. Separator: a comma. */
  | {
      form: "pairs";
      timestampField?: string;
      separator?: "," | ";";
      algorithms: Readonly<Record<string, Algorithm>>;
    }
  /** `v1,<signature> v1a,<signature>`; versions that are not named are ignored. */
  | { form: "list"; algorithms: Readonly<Record<string, Algorithm>> };

/**
 * One part of the signed bytes. `id` and `timestamp` as received, `method` in capitals, `url` with scheme, host and
 * query as configured in PUBLIC_URL, because a Host header can be forged.
 */
export type SignedPart =
  | "body"
  | "id"
  | "timestamp"
  | "method"
  | "url"
  | { text: string }
  | { header: string };

export interface TimeRule {
  /** `iso8601`: in UTC, `2021-03-25T05:09:27Z`. */
  unit: "seconds" | "milliseconds" | "iso8601";
  /** JSON pointer to the time where it stands in the signed body; looked at only after the signature was right. */
  pointer?: string;
  /** How far the time may lie in the past and in the future; packages of providers often forget the future. */
  toleranceSeconds: number;
}

/** A secret that is sent along and compared. */
export interface TokenRule {
  kind: "token";
  place: TokenPlace;
  secret: SecretRule;
}

/** `Authorization: Basic` (RFC 7617). */
export interface BasicRule {
  kind: "basic";
  secret: SecretRule;
}

/** Nothing proves the sender; allowed only behind an address list and a path that cannot be guessed. */
export interface NoRule {
  kind: "none";
}

export interface SecretRule {
  /** Tried in order: the first whose prefix the secret begins with decides what it is. */
  keys: readonly KeyForm[];
  /** How a secret is made when the owner gives none. */
  generate: { prefix: string; bytes: number; encoding: DigestEncoding };
}

/** How the text of a secret becomes a key. */
export interface KeyForm {
  prefix: string;
  /** `utf8`: the whole text, prefix included; otherwise what follows the prefix is decoded. */
  form: "utf8" | "hex" | "base64";
  use: "hmac" | "ed25519" | "compare";
  bytesMin: number;
  bytesMax?: number;
  /** Unicode normalisation that the sender applies to the text before it uses its bytes. */
  normalise?: "NFKD";
  /** What the text must match besides, and how to say it. */
  pattern?: { regex: RegExp; message: string };
}

/** Where one value of a request stands: JSON pointer (RFC 6901), or `/Element/Element/@attribute` of an XML body. */
export type Place = { header: string } | { query: string } | { pointer: string } | { xmlPath: string };

/** A token may stand behind a word in its header: `Bearer <token>`. */
export type TokenPlace = { header: string; prefix: string } | Exclude<Place, { header: string }>;

/** A place of a secret; `form` is a field of an `application/x-www-form-urlencoded` body. */
export type SecretField = Place | { form: string };

/**
 * Where an event's id or type stands. The second place is read when the first holds nothing. `unique`: each request is
 * an event of its own, because the body says only that something changed, and two changes look alike.
 */
export type EventSource =
  | { header: string; orHeader?: string }
  | { pointer: string; orPointer?: string }
  | { unique: "request" }
  | { xmlPath: string }
  | { body: "sha256" };

/**
 * A request that is no event but asks the receiver to show that it listens. A POST is answered after its signature was
 * verified; GET and HEAD carry no signed body, so they are answered when they are recognised and `proof`, if there is
 * one, holds the endpoint's secret.
 */
export interface Challenge {
  method: "POST" | "GET" | "HEAD";
  /** All of these values must stand there. */
  recognise: readonly { place: Place; equals: string }[];
  proof?: Place;
  /** The value that the answer gives back; left out where the provider looks at the status alone. */
  value?: Place;
  /** Builds the answer from the value ("" without a place) and the newest secret. */
  answer: (value: string, secret: string) => FixedAnswer;
}

/** An answer with nothing of the hub in it. */
export interface FixedAnswer {
  status: number;
  contentType?: string;
  body: string;
}

/** A request as far as its verification reads it. */
export interface SignedRequest {
  method: string;
  /** Address under which the sender knows the hub, with path and query; built only for schemes that sign it. */
  publicUrl: () => string;
  headers: Headers;
  /** Without the question mark. */
  query: URLSearchParams | string;
  rawBody: Uint8Array;
  nowMs: number;
}

/**
 * Why a request was refused. For the operator only: the sender gets one answer for all, except `header_doubled`, which
 * is a malformed request.
 */
export type SignatureCause =
  | "header_missing"
  | "header_doubled"
  | "malformed"
  | "unknown_version"
  | "timestamp_stale"
  | "timestamp_future"
  | "mismatch";

export type VerifyOutcome = { ok: true } | { ok: false; cause: SignatureCause };

export type Verifier = (request: SignedRequest) => VerifyOutcome;

/** The settings that an endpoint cannot work with. Raised when a verifier is prepared, never for a request. */
export class SchemeConfigurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SchemeConfigurationError";
  }
}

/** The rule of a scheme under the settings of one endpoint. */
export function ruleOf(scheme: Scheme, settings: SchemeSettings): Rule {
  return typeof scheme.rule === "function" ? scheme.rule(settings) : scheme.rule;
}
