const NAME_START =
  "A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}-\\u{200D}" +
  "\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}";
const NC_NAME = `[${NAME_START}][${NAME_START}\\-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}-\\u{2040}]*`;

/** Name with at most one prefix (Namespaces in XML 1.0, productions 4 to 8). */
const QNAME = new RegExp(`^(?:${NC_NAME}:)?${NC_NAME}$`, "u");
const NC = new RegExp(`^${NC_NAME}$`, "u");

/** Anything that is no Char of XML 1.0 (production 2); with the flag `u` half a surrogate pair is one, too. */
const NO_CHAR = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

export function isQualifiedName(text: string): boolean {
  return QNAME.test(text);
}

export function isNcName(text: string): boolean {
  return NC.test(text);
}

/** Prefix of a qualified name, `""` where it has none. */
export function prefixOf(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? "" : name.slice(0, colon);
}

/** The first character that no XML 1.0 document can hold, if there is one. */
export function findNoCharacter(text: string): string | undefined {
  return NO_CHAR.exec(text)?.[0];
}

/** Text of nothing but XML's white space; also the empty text. */
export function isBlank(text: string): boolean {
  return /^[ \t\r\n]*$/.test(text);
}
