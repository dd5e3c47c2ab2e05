import { fillTemplate, segmentEscape, TemplateError, type Values, valueOf } from "./fill-template.ts";

const WHOLE_ORIGIN = /^\{([a-z][A-Za-z0-9]*)\}(.*)$/s;
const WITH_SCHEME = /^(https?:\/\/)([^/]+)(.*)$/s;
/** A host name, an IPv4 address or an IPv6 address in brackets, with a port or without. */
const AUTHORITY = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * Fills the address of a server. A field at the beginning stands for scheme and host (with a path or without), one in
 * the host for a name or a part of it, one behind that for one segment of the path.
 *
 * @returns the URL without a slash at its end
 * @throws TemplateError for a value that is missing, or that would be read as something else than its place says
 */
export function fillUrl(template: string, values: Values): string {
  const whole = WHOLE_ORIGIN.exec(template);
  if (whole !== null) {
    const [, field, rest] = whole;
    const value = valueOf(values, field!);
    if (value === undefined)
      throw new TemplateError("missing_value", field!, `The field "${field}" has no value`);
    return withPath(originOf(value, field!), rest!, values);
  }
  const [, scheme, authority, path] = WITH_SCHEME.exec(template) ?? [];
  if (scheme === undefined)
    throw new TemplateError("value_invalid", "", "An address begins with https:// or with a field");
  const filled = fillTemplate(authority!, values, (value, field) => {
    if (!AUTHORITY.test(value))
      throw new TemplateError("value_invalid", field, `The field "${field}" is no host name`);
    return value;
  });
  if (!AUTHORITY.test(filled)) throw new TemplateError("value_invalid", "", "The address has no valid host");
  return withPath(scheme + filled, path!, values);
}

/** The value of a field that stands for a whole address: scheme, host and path, nothing else. */
function originOf(value: string, field: string): string {
  const invalid = (): TemplateError =>
    new TemplateError("value_invalid", field, `The field "${field}" is no address (https://host/path)`);
  if (!/^https?:\/\/[^\s\\@?#]+$/i.test(value) || !URL.canParse(value)) throw invalid();
  const url = new URL(value);
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(value.replace(/^https?:\/\//i, ""))) throw invalid();
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function withPath(origin: string, path: string, values: Values): string {
  if (!URL.canParse(origin)) throw new TemplateError("value_invalid", "", "The address has no valid host");
  const filled = fillTemplate(path, values, segmentEscape);
  return new URL(origin).href.replace(/\/+$/, "") + filled.replace(/\/+$/, "");
}
