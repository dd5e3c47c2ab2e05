import { compileGrammar, isDoubled } from "../../schemes/header-grammar.ts";
import type {
  HeaderGrammar,
  SignatureHeaders,
  SignatureRule,
  SignedPart,
  SignedRequest,
  Verifier,
} from "../../schemes/scheme.ts";
import { compileSignatureRule } from "../../schemes/verify-rule-signature.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { bodyVariants } from "./body-variants.ts";
import type { ExplainInput } from "./explain-input.ts";
import { missingHeader } from "./missing-header.ts";
import { findMistakes } from "./search.ts";
import { keyCandidates } from "./secret-variants.ts";
import { algorithmsOf, type SignatureFace, signatureFaces } from "./signature-faces.ts";
import { readSignedTime } from "./signed-time.ts";
import { unexplainedAddress, urlVariants, withoutQuery } from "./url-variants.ts";
import { asIs, type Variant } from "./variant.ts";

/** Header of the trial requests in which one signature stands alone. */
const TRIAL_HEADER = "x-hub-trial-signature";

/** Headers that are looked through when the right one is missing. */
const HEADERS_MAX = 100;

/**
 * Says why a request whose signature covers its bytes was not accepted: first what its headers show, then by trying
 * which key, body, address and algorithm the signature fits.
 *
 * @returns at least one cause
 */
export async function explainSignature(rule: SignatureRule, input: ExplainInput): Promise<RejectionCause[]> {
  const { request } = input;
  const names = spellingOf(rule, request.headers);
  const places = signaturePlaces(rule, names, request.headers);
  const inHeader = timeInHeader(rule.grammar, places[0]?.value ?? "");
  const time = readSignedTime(rule, names, request, inHeader);
  const own = algorithmsOf(rule.grammar);
  const faces = places.flatMap((place) =>
    signatureFaces(place.value, own).map(({ value, causes }) => ({
      value,
      causes: [...place.causes, ...formCauses(rule, place, value, causes), ...causes],
    })),
  );
  const id = names.id === undefined ? undefined : request.headers.get(names.id);
  const found: RejectionCause[] = [...time.causes, ...idCauses(rule, names, id)];
  const urls = signsUrl(rule)
    ? urlVariants(input.publicUrl, input.target, request.headers)
    : [asIs(request.publicUrl())];
  const mistakes =
    faces.length === 0
      ? undefined
      : await findMistakes(
          {
            faces,
            keys: keyCandidates(rule.secret, input.secrets),
            bodies: await bodyVariants(request.rawBody, request.headers),
            urls,
          },
          trial(rule, request, { timestamp: time.text, id: id ?? "" }),
        );
  if (mistakes !== undefined) found.push(...mistakes);
  else
    found.push(
      ...unmatchedCauses(rule, {
        names,
        headers: request.headers,
        places,
        faces,
        ownUrl: withoutQuery(request.publicUrl()),
      }),
    );
  return found.length > 0 ? distinct(found) : [UNEXPLAINED];
}

/** A value that holds a signature, and what is wrong with its place. */
interface SignaturePlace {
  value: string;
  isOwn: boolean;
  causes: readonly RejectionCause[];
}

function spellingOf(rule: SignatureRule, headers: Headers): SignatureHeaders {
  return (
    rule.headers.find((names) => Object.values(names).some((name: string) => headers.has(name))) ??
    rule.headers[0]!
  );
}

/** The signature's own header; where it is missing, every header that may hold it under another name. */
function signaturePlaces(rule: SignatureRule, names: SignatureHeaders, headers: Headers): SignaturePlace[] {
  const value = headers.get(names.signature);
  if (value !== null) {
    return [{ value, isOwn: true, causes: isDoubled(value) ? [doubled(names.signature)] : [] }];
  }
  return [...headers]
    .slice(0, HEADERS_MAX)
    .filter(([, other]) => signatureFaces(other, algorithmsOf(rule.grammar)).length > 0)
    .map(([header, other]) => ({ value: other, isOwn: false, causes: [renamed(header, names.signature)] }));
}

function timeInHeader(grammar: HeaderGrammar, value: string): string | undefined {
  if (grammar.form !== "pairs" || grammar.timestampField === undefined) return undefined;
  const start = `${grammar.timestampField}=`;
  return value
    .split(/[,;]/)
    .map((part) => part.trim())
    .find((part) => part.startsWith(start))
    ?.slice(start.length);
}

function signsUrl(rule: SignatureRule): boolean {
  return rule.signed.some(
    (part) => typeof part === "string" && !["body", "id", "timestamp", "method"].includes(part),
  );
}

/**
 * Prepares trying one combination: the scheme's own verifier, with the signature in a header of its own, the key as
 * bytes, and the signed time and id as text, so that their form does not matter.
 */
function trial(
  rule: SignatureRule,
  request: SignedRequest,
  signed: { timestamp: string; id: string },
): (face: SignatureFace, key: Uint8Array, body: Uint8Array, url: string) => boolean {
  const parts = rule.signed.map((part): SignedPart => {
    if (part === "timestamp") return { text: signed.timestamp };
    return part === "id" ? { text: signed.id } : part;
  });
  const { time: _time, ...timeless } = rule;
  const headers = new Headers(request.headers);
  const verifiers = new Map<string, Verifier | undefined>();
  return (face, key, rawBody, url) => {
    const keyHex = Buffer.from(key).toString("hex");
    const name = `${JSON.stringify(face.algorithm)}${keyHex}`;
    let verify = verifiers.get(name);
    if (verify === undefined && !verifiers.has(name)) {
      verify = trialVerifier({ ...timeless, signed: parts }, face.algorithm, keyHex);
      verifiers.set(name, verify);
    }
    if (verify === undefined) return false;
    headers.set(TRIAL_HEADER, face.text);
    return verify({ ...request, headers, rawBody, publicUrl: () => url }).ok;
  };
}

/** Undefined for bytes that are no key of the algorithm. */
function trialVerifier(
  rule: Omit<SignatureRule, "time">,
  algorithm: SignatureFace["algorithm"],
  keyHex: string,
): Verifier | undefined {
  try {
    return compileSignatureRule(
      {
        ...rule,
        headers: [{ signature: TRIAL_HEADER }],
        grammar: { form: "whole", prefix: "", algorithm },
        secret: { ...rule.secret, keys: [{ prefix: "", form: "hex", use: algorithm.type, bytesMin: 1 }] },
      },
      [keyHex],
    );
  } catch {
    return undefined;
  }
}

/** What is wrong with the form of a header, should this signature in it be right. */
function formCauses(
  rule: SignatureRule,
  { value, isOwn, causes: placeCauses }: SignaturePlace,
  face: SignatureFace,
  causes: readonly RejectionCause[],
): RejectionCause[] {
  if (!isOwn || placeCauses.length > 0) return [];
  const { grammar } = rule;
  // With another algorithm the prefix is another one too; that is no second mistake.
  if (grammar.form === "whole") {
    const isOtherAlgorithm = causes.some(({ code }) => code === "signature_algorithm");
    return isOtherAlgorithm || value === grammar.prefix + face.received ? [] : [otherForm(rule)];
  }
  return isParsed(grammar, value) ? [] : [otherForm(rule)];
}

function isParsed(grammar: HeaderGrammar, value: string): boolean {
  const into = { timestamp: "", texts: [], algorithms: [] };
  return compileGrammar(grammar).parse(value, into) === undefined;
}

/** What was looked at. */
interface Looked {
  names: SignatureHeaders;
  headers: Headers;
  places: readonly SignaturePlace[];
  faces: readonly Variant<SignatureFace>[];
  /** Address by PUBLIC_URL, without its query. */
  ownUrl: string;
}

/** What can be said when no combination fits. */
function unmatchedCauses(
  rule: SignatureRule,
  { names, headers, places, faces, ownUrl }: Looked,
): RejectionCause[] {
  const place = places.find(({ isOwn }) => isOwn);
  if (place === undefined) return [missingHeader(names.signature, headers)];
  const causes = [...place.causes];
  if (place.causes.length === 0 && !isParsed(rule.grammar, place.value)) causes.push(otherForm(rule));
  // A form that holds no digest at all explains enough.
  if (faces.length === 0) {
    const other = otherHash(place.value);
    if (other !== undefined) return [other];
    return causes.length > 0 ? causes : [otherForm(rule)];
  }
  return [...causes, signsUrl(rule) ? unexplainedAddress(ownUrl) : UNEXPLAINED];
}

/** Digests in hex that no scheme takes, by their length. */
const OTHER_HASHES: Readonly<Record<number, string>> = { 32: "MD5", 56: "SHA-224", 96: "SHA-384" };

function otherHash(value: string): RejectionCause | undefined {
  const hash = OTHER_HASHES[/(?:^|[^0-9a-z])([0-9a-f]+)$/i.exec(value)?.[1]?.length ?? 0];
  if (hash === undefined) return undefined;
  return {
    code: "signature_algorithm",
    message: `The signature is as long as one with ${hash}, which is not supported.`,
    action: "Have the sender sign with HMAC-SHA256.",
  };
}

function idCauses(
  rule: SignatureRule,
  names: SignatureHeaders,
  id: string | null | undefined,
): RejectionCause[] {
  return rule.signed.includes("id") && names.id !== undefined && id === null ? [idMissing(names.id)] : [];
}

const UNEXPLAINED: RejectionCause = {
  code: "unexplained",
  message:
    "The signature fits none of the usual mistakes: most likely the sender signs with another secret, or the body was changed on its way.",
  action:
    "Compare the last four characters of the secret with the sender's (`secretLast4`), set it anew on both sides, and send a test event past any proxy.",
};

function idMissing(header: string): RejectionCause {
  return {
    code: "header_missing",
    message: `The header ${header} is missing; the message's id in it is signed.`,
    action: "Have the sender add it, and check that no proxy removes it.",
    header,
  };
}

function renamed(header: string, expected: string): RejectionCause {
  return {
    code: "header_renamed",
    message: `The signature stands in the header ${header}, and is expected in ${expected}.`,
    action: `Set \`signatureHeader\` to ${header} (scheme \`hmac\`), choose the sender's own scheme, or have the header passed on unchanged.`,
    header,
  };
}

function doubled(header: string): RejectionCause {
  return {
    code: "header_doubled",
    message: `The header ${header} stands twice.`,
    action: "Find the proxy that adds it once more, and let it replace the header or leave it alone.",
    header,
  };
}

function otherForm(rule: SignatureRule): RejectionCause {
  return {
    code: "signature_format",
    message: `The signature does not stand in its header in the form ${formOf(rule.grammar)}.`,
    action:
      "Have the sender write it so; for the scheme `hmac` set `signatureSettings.prefix` to what stands before it.",
  };
}

function formOf(grammar: HeaderGrammar): string {
  if (grammar.form === "whole") return `"${grammar.prefix}<signature>"`;
  const [version = "v1"] = Object.keys(grammar.algorithms);
  if (grammar.form === "list") return `"${version},<signature>"`;
  const time = grammar.timestampField === undefined ? "" : `${grammar.timestampField}=<time>,`;
  return `"${time}${version}=<signature>"`;
}

function distinct(causes: readonly RejectionCause[]): RejectionCause[] {
  const seen = new Set<string>();
  return causes.filter((cause) => {
    const name = `${cause.code} ${cause.message}`;
    return !seen.has(name) && seen.add(name);
  });
}
