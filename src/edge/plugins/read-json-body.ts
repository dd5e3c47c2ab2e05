import { HubError } from "../../domain/errors.ts";
import { withExactNumbers } from "../../platform/json/exact-numbers.ts";
import { parseJson } from "../../platform/json/parse-json.ts";
import { unstorablePlace } from "../../platform/json/unstorable-place.ts";
import { readBody } from "../ingress/read-body.ts";

/** Largest body of a management call. */
const BODY_BYTES_MAX = 1024 * 1024;

const JSON_TYPE = /^application\/(?:json|[\w.+-]+\+json)$/i;

/** How the bodies of some routes differ. */
export interface JsonBodyOptions {
  /** 1 MiB when left out. */
  bodyBytesMax?: number;
  /** True: what a double would change is an `ExactNumber`, because the body is only passed on. */
  exactNumbers?: boolean;
}

/**
 * Reads a management call's body: JSON of 64 levels at most, and what Postgres can store.
 *
 * @returns null for an empty body
 * @throws HubError `body_too_large`, `unsupported_media_type` or `bad_request`
 */
export async function readJsonBody(request: Request, options: JsonBodyOptions = {}): Promise<unknown> {
  const bytesMax = options.bodyBytesMax ?? BODY_BYTES_MAX;
  const tooLarge = (): HubError => new HubError("body_too_large", `At most ${bytesMax} bytes.`);
  const declared = request.headers.get("content-length");
  if (Number(declared ?? 0) > bytesMax) throw tooLarge();
  // Without the header the body is chunked, or the request was made in this process.
  const bytes = await readBody(request, declared === null ? undefined : Number(declared), bytesMax);
  if (bytes === "too_large") throw tooLarge();
  if (bytes === "incomplete") throw new HubError("bad_request", "The body is shorter than announced.");
  if (bytes.byteLength === 0) return null;
  const coding = request.headers.get("content-encoding")?.toLowerCase() ?? "";
  if (coding !== "" && coding !== "identity")
    throw new HubError("unsupported_media_type", "The body must not be compressed (Content-Encoding).");
  const contentType = (request.headers.get("content-type") ?? "").split(";", 1)[0]!.trim();
  if (!JSON_TYPE.test(contentType))
    throw new HubError("unsupported_media_type", "The body must be application/json.");
  const outcome = parseJson(bytes);
  if (!outcome.ok) throw new HubError("bad_request", outcome.message);
  if (!outcome.storable) throw unstorable(outcome.value);
  return options.exactNumbers === true ? withExactNumbers(outcome.text, outcome.value) : outcome.value;
}

function unstorable(value: unknown): HubError {
  // Undefined where a later member of the same name took the place of the bad one.
  const path = unstorablePlace(value);
  const errors = path === undefined ? [] : [{ path, message: "holds NUL or half of a surrogate pair" }];
  return new HubError("bad_request", "NUL and lone surrogates cannot be stored.", { errors });
}
