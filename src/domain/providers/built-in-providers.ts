import { DAT } from "./catalogue/dat.ts";
import { HUBSPOT } from "./catalogue/hubspot.ts";
import { KEEPTRUCKIN } from "./catalogue/keeptruckin.ts";
import { LOADBOARD_123 } from "./catalogue/loadboard-123.ts";
import { OMNITRACS } from "./catalogue/omnitracs.ts";
import { QUICKBOOKS } from "./catalogue/quickbooks.ts";
import { SAGE } from "./catalogue/sage.ts";
import { SALESFORCE } from "./catalogue/salesforce.ts";
import { SAMSARA } from "./catalogue/samsara.ts";
import { TRUCKSTOP } from "./catalogue/truckstop.ts";
import { XERO } from "./catalogue/xero.ts";
import { ZOHO } from "./catalogue/zoho.ts";
import type { ProviderManifest } from "./manifest-schema.ts";

/** The providers that every tenant has, in the order of the specification's "Pre-Built Connectors". */
export const BUILT_IN_PROVIDERS: readonly ProviderManifest[] = [
  DAT,
  TRUCKSTOP,
  LOADBOARD_123,
  QUICKBOOKS,
  XERO,
  SAGE,
  KEEPTRUCKIN,
  SAMSARA,
  OMNITRACS,
  HUBSPOT,
  SALESFORCE,
  ZOHO,
];

/** The built-in manifest of a code; undefined when there is none. */
export function builtInProvider(code: string): ProviderManifest | undefined {
  return BUILT_IN_PROVIDERS.find((manifest) => manifest.code === code);
}
