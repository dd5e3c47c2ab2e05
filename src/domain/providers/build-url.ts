export type PathFaultCode =
  | "path_too_long"
  | "path_control_character"
  | "path_backslash"
  | "path_fragment"
  | "path_encoding"
  | "path_empty_segment"
  | "path_dot_segment"
  | "path_encoded_slash"
  | "path_outside_base";

/** The URL of a call, or why the caller's path is refused. */
export type BuiltUrl = { ok: true; url: string } | { ok: false; code: PathFaultCode; message: string };

const LENGTH_MAX = 8_192;
/** Rounds of decoding that are looked at: a gateway behind the provider may decode once more than the provider. */
const DECODINGS_MAX = 4;

const MESSAGES: Readonly<Record<PathFaultCode, string>> = {
  path_too_long: `The path and query have more than ${LENGTH_MAX} characters`,
  path_control_character: "The path holds a control character",
  path_backslash: "The path holds a backslash",
  path_fragment: "The path holds a fragment",
  path_encoding: "The path holds a % that is no escape, or no UTF-8",
  path_empty_segment: "The path holds an empty segment (//)",
  path_dot_segment: "The path holds a dot segment (. or ..)",
  path_encoded_slash: "A segment of the path holds a slash",
  path_outside_base: "The path leads out of the provider's base address",
};

/**
 * Joins a provider's base address and a caller's path so that the result cannot leave the base, however the provider or
 * something in front of it reads the path: every segment is looked at as it is, decoded (also twice), without path
 * parameters, and in the compatibility form in which full-width dots and slashes are plain ones.
 *
 * @param baseUrl from `resolveServer`: no slash at its end, no query
 * @param target path below the base with its query, as the caller sent it
 */
export function buildUrl(baseUrl: string, target: string): BuiltUrl {
  const key = `${baseUrl} ${target}`;
  const known = lately.get(key);
  if (known !== undefined) return known;
  const built = build(baseUrl, target);
  if (lately.size >= LATELY_MAX) lately.clear();
  if (key.length <= LATELY_LENGTH_MAX) lately.set(key, built);
  return built;
}

/** Whoever checks an address mostly asks for it again a moment later, to call it. */
const lately = new Map<string, BuiltUrl>();
const LATELY_MAX = 512;
const LATELY_LENGTH_MAX = 1_024;

function build(baseUrl: string, target: string): BuiltUrl {
  const fault = (code: PathFaultCode): BuiltUrl => ({ ok: false, code, message: MESSAGES[code] });
  if (target.length > LENGTH_MAX) return fault("path_too_long");
  // oxlint-disable-next-line no-control-regex -- the URL parser would drop tabs and line ends without a word
  if (/[\u0000-\u001f\u007f]/.test(target) || !target.isWellFormed()) return fault("path_control_character");
  if (target.includes("#")) return fault("path_fragment");
  const mark = target.indexOf("?");
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark);
  const path = rawPath === "" || rawPath.startsWith("/") ? rawPath : `/${rawPath}`;
  const code = pathFault(path);
  if (code !== undefined) return fault(code);

  const base = new URL(baseUrl);
  const basePath = base.pathname.replace(/\/$/, "");
  const url = new URL(base.origin + basePath + path + query);
  const isInside =
    url.origin === base.origin &&
    url.username === "" &&
    url.password === "" &&
    url.pathname.startsWith(basePath === "" ? "/" : basePath) &&
    url.pathname.split("/").length ===
      (basePath + (path === "" && basePath === "" ? "/" : path)).split("/").length;
  return isInside ? { ok: true, url: url.href } : fault("path_outside_base");
}

function pathFault(path: string): PathFaultCode | undefined {
  if (path === "" || path === "/") return undefined;
  if (path.includes("\\")) return "path_backslash";
  const segments = path.slice(1).split("/");
  // One slash at the end is part of many APIs' paths.
  if (segments.slice(0, -1).includes("")) return "path_empty_segment";
  for (const segment of segments) {
    const code = segmentFault(segment);
    if (code !== undefined) return code;
  }
  return undefined;
}

function segmentFault(segment: string): PathFaultCode | undefined {
  let text = segment;
  for (let round = 0; round <= DECODINGS_MAX; round++) {
    const plain = text.normalize("NFKC");
    // oxlint-disable-next-line no-control-regex -- that is what is looked for
    if (/[\u0000-\u001f\u007f]/.test(plain)) return "path_control_character";
    if (plain.includes("\\")) return "path_backslash";
    if (plain.includes("/")) return "path_encoded_slash";
    // `..;x` is `..` to servers that know path parameters; U+3002 is a dot to those that read names of hosts.
    if (/^[.\u3002]{1,2}$/.test(plain.split(";", 1)[0]!.trim())) return "path_dot_segment";
    if (!text.includes("%")) return undefined;
    const decoded = decode(text);
    // Whoever decodes once has a plain percent sign before him, which is no escape any more.
    if (decoded === undefined) return round === 0 ? "path_encoding" : undefined;
    if (decoded === text) return undefined;
    text = decoded;
  }
  return "path_encoding";
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
