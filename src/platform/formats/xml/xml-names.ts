import type { XmlSettings } from "../settings.ts";
import { prefixOf } from "./xml-characters.ts";

const XSI_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance";

/** Namespaces that have prefixes of their own: those of the settings, and that of xsi:nil where it is used. */
export function xmlNamespaces(settings: XmlSettings): Readonly<Record<string, string>> {
  return settings.nulls === "nil"
    ? { xsi: XSI_NAMESPACE, ...settings.namespaces }
    : (settings.namespaces ?? {});
}

interface QualifiedName {
  /** As the document writes it. */
  name: string;
  prefix: string;
  local: string;
  uri: string;
}

/**
 * Names of elements and attributes in the common document: as they are written, except that names of the namespaces in
 * the settings have the prefixes of the settings.
 */
export class XmlNames {
  readonly #prefixes: ReadonlyMap<string, string>;
  readonly #namespaces: Readonly<Record<string, string>>;

  constructor(namespaces: Readonly<Record<string, string>>) {
    this.#namespaces = namespaces;
    this.#prefixes = new Map(Object.entries(namespaces).map(([prefix, uri]) => [uri, prefix]));
  }

  /** Undefined where the prefix is one of the settings and the namespace is not. */
  elementName({ name, prefix, local, uri }: QualifiedName): string | undefined {
    if (this.#prefixes.size === 0) return name;
    const own = this.#prefixes.get(uri);
    if (own !== undefined) return own === "" ? local : `${own}:${local}`;
    return Object.hasOwn(this.#namespaces, prefix) ? undefined : name;
  }

  /**
   * Null for a declaration of a namespace whose prefix the settings say; undefined where the name would stand for
   * another one.
   */
  attributeName({
    name,
    prefix,
    local,
    uri,
    value,
  }: QualifiedName & { value: string }): string | null | undefined {
    if (this.#prefixes.size === 0) return name;
    if (prefix === "xmlns" || name === "xmlns") {
      return this.#prefixes.has(value) ? null : name;
    }
    if (prefix === "" || prefix === "xml") return name;
    const own = this.#prefixes.get(uri);
    // An attribute without a prefix would be in no namespace.
    if (own !== undefined) return own === "" ? undefined : `${own}:${local}`;
    return Object.hasOwn(this.#namespaces, prefixOf(name)) ? undefined : name;
  }
}
