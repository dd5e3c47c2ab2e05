import type { Scheme, SchemeSettings, SignedRequest } from "../../schemes/scheme.ts";
import type { KnownSecrets } from "./secret-variants.ts";

/** What is known about a request whose proof was not accepted. */
export interface ExplainInput {
  scheme: Scheme;
  settings: SchemeSettings;
  secrets: KnownSecrets;
  /** As received; `nowMs` is the time of receipt. */
  request: SignedRequest;
  /** PUBLIC_URL, without a slash at the end. */
  publicUrl: string;
  /** Path and query as received. */
  target: string;
}
