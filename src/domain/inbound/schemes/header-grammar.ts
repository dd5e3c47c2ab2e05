import type { Algorithm, HeaderGrammar, SignatureCause } from "./scheme.ts";

/** What a signature header says. One object is reused for every request of an endpoint, so nothing may keep it. */
export interface ParsedSignature {
  /** Time inside the header; "" where the grammar has none. */
  timestamp: string;
  /** The signatures, each with the index of its algorithm. */
  texts: string[];
  algorithms: number[];
}

/** Reads a header value into `into`; returns the cause when the value does not fit. */
export type SignatureParser = (value: string, into: ParsedSignature) => SignatureCause | undefined;

export interface CompiledGrammar {
  parse: SignatureParser;
  /** In the order of the indexes that the parser gives. */
  algorithms: readonly Algorithm[];
}

/** Senders rotate between two secrets; each further signature costs a comparison or an Ed25519 verification of 60 µs. */
const SIGNATURES_MAX = 8;

/** Two headers of one name are joined like this (Fetch standard, "get, decode, and combine"). */
const JOIN = ", ";

/** True when a header stood twice. Values of the headers read here never hold a comma and a space themselves. */
export function isDoubled(value: string): boolean {
  return value.includes(JOIN);
}

/** Prepares the parser of a signature header. Whatever does not fit the grammar exactly is refused. */
export function compileGrammar(grammar: HeaderGrammar): CompiledGrammar {
  if (grammar.form === "whole") {
    return { parse: wholeParser(grammar.prefix), algorithms: [grammar.algorithm] };
  }
  const names = Object.keys(grammar.algorithms);
  const parse = grammar.form === "pairs" ? pairsParser(grammar, names) : listParser(names);
  return { parse, algorithms: Object.values(grammar.algorithms) };
}

function wholeParser(prefix: string): SignatureParser {
  return (value, into) => {
    if (isDoubled(value)) return "header_doubled";
    if (!value.startsWith(prefix)) return "unknown_version";
    reset(into);
    into.texts.push(prefix === "" ? value : value.slice(prefix.length));
    into.algorithms.push(0);
    return undefined;
  };
}

function pairsParser(
  { timestampField, separator = "," }: Extract<HeaderGrammar, { form: "pairs" }>,
  names: readonly string[],
): SignatureParser {
  return (value, into) => {
    if (isDoubled(value)) return "header_doubled";
    reset(into);
    for (let from = 0; from <= value.length;) {
      const to = endOfPart(value, separator, from);
      const equals = value.indexOf("=", from);
      if (equals <= from || equals >= to) return "malformed";
      const field = value.slice(from, equals);
      if (field === timestampField) {
        if (into.timestamp !== "") return "malformed";
        into.timestamp = value.slice(equals + 1, to);
      } else if (!take(into, names.indexOf(field), value.slice(equals + 1, to))) return "malformed";
      from = to + 1;
    }
    if (timestampField !== undefined && into.timestamp === "") return "malformed";
    return into.texts.length === 0 ? "unknown_version" : undefined;
  };
}

function listParser(names: readonly string[]): SignatureParser {
  return (value, into) => {
    if (isDoubled(value)) return "header_doubled";
    reset(into);
    for (let from = 0; from <= value.length;) {
      const to = endOfPart(value, " ", from);
      const comma = value.indexOf(",", from);
      if (comma <= from || comma >= to) return "malformed";
      if (!take(into, names.indexOf(value.slice(from, comma)), value.slice(comma + 1, to)))
        return "malformed";
      from = to + 1;
    }
    return into.texts.length === 0 ? "unknown_version" : undefined;
  };
}

function endOfPart(value: string, separator: string, from: number): number {
  const at = value.indexOf(separator, from);
  return at < 0 ? value.length : at;
}

function reset(into: ParsedSignature): void {
  into.timestamp = "";
  into.texts.length = 0;
  into.algorithms.length = 0;
}

/** False when there are too many. Signatures of versions that the scheme does not name (index -1) do not count. */
function take(into: ParsedSignature, algorithm: number, text: string): boolean {
  if (algorithm < 0) return true;
  if (into.texts.length === SIGNATURES_MAX) return false;
  into.texts.push(text);
  into.algorithms.push(algorithm);
  return true;
}
