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
  /** Answer to an accepted event where the provider wants another than the hub's. */
  accepted?: FixedAnswer;
  /** Answer to a request that proves nothing, where the provider wants another than the hub's 401. */
  refused?: FixedAnswer;
  /** The provider makes the secret and hands it over in its first request. */
  handshake?: Handshake;
  /** Address that has to be called to confirm a subscription, when this verified body asks for it. */
  confirmation?: (rawBody: Uint8Array) => string | undefined;
  /** What is compared is known to others, or comes with the first request: the path must not be guessable. */
  needsGeneratedPath?: boolean;
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

export type Rule = SignatureRule | ComposedRule | CertificateRule | JwtRule | TokenRule | BasicRule | NoRule;

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

/** How one signature is computed. */
export type Algorithm =
  | HmacAlgorithm
  /** Base64 unless told otherwise. */
  | { type: "ed25519"; encoding?: "base64" | "hex" }
  /** ECDSA with SHA-256 over P-256; the signature is DER (RFC 3279 section 2.2.3) in base64. */
  | { type: "ecdsa-p256" };

/** `upperHex`: written in capitals is accepted too; a mixture never is. */
export interface HmacAlgorithm {
  type: "hmac";
  hash: HmacHash;
  encoding: DigestEncoding;
  upperHex?: boolean;
}

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
  /** `iso8601`: `2021-03-25T05:09:27Z`, or with an offset. */
  unit: "seconds" | "milliseconds" | "iso8601";
  /** JSON pointer to the time where it stands in the signed body; looked at only after the signature was right. */
  pointer?: string;
  /** How far the time may lie in the past and in the future; packages of providers often forget the future. */
  toleranceSeconds: number;
}

/** A hash over the secret and what follows it: older than HMAC, and open to a lengthening of the message. */
export interface PrefixedHashAlgorithm {
  type: "prefixed-hash";
  hash: HmacHash;
  encoding: DigestEncoding;
}

/**
 * A signature over what a provider composes in its own way: sorted form fields, fields of the body, a URL with its own
 * spelling; or several signatures beside each other.
 */
export interface ComposedRule {
  kind: "composed";
  /** Headers that carry a signature; never stored. Empty where it stands in the body. */
  headers: readonly string[];
  algorithm: HmacAlgorithm | PrefixedHashAlgorithm;
  compose: (request: SignedRequest) => Composition | { cause: SignatureCause };
  /** When the request was signed; `compose` gives the time then. */
  time?: TimeRule;
  secret: SecretRule;
}

/** What of a request is signed, and by what. Every proof must hold under one secret. */
export interface Composition {
  proofs: readonly Proof[];
  timestamp?: string;
}

/** Holds when one of the signatures is right for one of the messages. */
export interface Proof {
  signatures: readonly string[];
  messages: readonly SignedMessage[];
}

/** What is signed: text, the bytes between, and text. */
export interface SignedMessage {
  before: string;
  body: Uint8Array;
  after: string;
}

/**
 * A signature under a certificate that the sender publishes. Anybody can be a customer of that sender, so the secret is
 * the one name from which messages are taken.
 */
export interface CertificateRule {
  kind: "certificate";
  read: (request: SignedRequest) => CertifiedMessage | { cause: SignatureCause };
  secret: SecretRule;
}

export interface CertifiedMessage {
  /** Compared with the secret. */
  sender: string;
  /** Checked by `read`: only the sender's own hosts over https. */
  certificateUrl: string;
  hash: "sha1" | "sha256";
  message: string;
  /** In base64. */
  signature: string;
}

/** A JSON Web Token (RFC 7519) behind `Bearer`, signed with the secret (HS256 or HS512). It does not sign the body. */
export interface JwtRule {
  kind: "jwt";
  header: string;
  /** How far clocks may differ, and how old a token without an end may be. */
  toleranceSeconds: number;
  secret: SecretRule;
}

/** A secret that is sent along and compared. */
export interface TokenRule {
  kind: "token";
  place: TokenPlace;
  secret: SecretRule;
  /** The value that is expected for a secret; the secret itself when left out. */
  expected?: (secret: string) => string;
  /** It names the sender and is no secret: it stays in the stored body. */
  isPublic?: boolean;
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
  /** How a secret is made when the owner gives none; left out where only the provider can give it. */
  generate?: { prefix: string; bytes: number; encoding: DigestEncoding };
}

/** How the text of a secret becomes a key. */
export interface KeyForm {
  prefix: string;
  /** `utf8`: the whole text, prefix included; otherwise what follows the prefix is decoded. */
  form: "utf8" | "hex" | "base64";
  use: "hmac" | "ed25519" | "ecdsa-p256" | "compare";
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
 * an event of its own, because the body says only that something changed, and two changes look alike. `pointers`:
 * several values joined by `joinedBy`; with `each` those of every element of the list there, each different one once,
 * with commas between, and `orBody` the body's hash where nothing stands there. `form`: a field of a form. `xmlPath`: of several elements all values, with commas between.
 */
export type EventSource =
  | { header: string; orHeader?: string }
  | { pointer: string; orPointer?: string; orForm?: string }
  | { pointers: readonly string[]; joinedBy: string; each?: string; orBody?: "sha256" }
  | { form: string }
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
  /** A POST that the provider does not sign. Nothing of it is stored, and the answer must not depend on the endpoint. */
  unsigned?: boolean;
  /** All of these must hold; none: every request of this method. */
  recognise: readonly Recognised[];
  /** Holds the endpoint's secret, or the value of the setting when the owner set it. */
  proof?: { place: Place; setting?: string };
  /** The value that the answer gives back; left out where the provider looks at the status alone. */
  value?: Place;
  /** Builds the answer from the value ("" without a place) and the newest secret. */
  answer: (value: string, secret: string) => FixedAnswer;
}

/** A text at a place, any text there, what is written so in a JSON body (`1`, `[]`), or a whole small body. */
export type Recognised =
  | { place: Place; equals: string }
  | { place: Place }
  | { pointer: string; json: string }
  | { body: RegExp };

/**
 * The first request brings the secret in a header and gets it back in the same one. Taken once, while the endpoint's
 * secret still begins with `pendingPrefix`; a new secret made by `rotate-secret` opens the endpoint for another one.
 */
export interface Handshake {
  header: string;
  pendingPrefix: string;
}

/** An answer with nothing of the hub in it. */
export interface FixedAnswer {
  status: number;
  contentType?: string;
  headers?: Readonly<Record<string, string>>;
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

/** `certificateUrl`: nothing can be said before this certificate was fetched. */
export type VerifyOutcome = { ok: true } | { ok: false; cause: SignatureCause; certificateUrl?: string };

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
