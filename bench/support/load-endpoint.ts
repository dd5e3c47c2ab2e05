/** Schemes that the generators can sign for. */
export const SENDER_SCHEMES = ["github", "hmac", "stripe", "standard-webhooks"] as const;

export type SenderScheme = (typeof SENDER_SCHEMES)[number];

/** One inbound endpoint as its sender knows it. */
export interface LoadEndpoint {
  /** Path of the URL: `/webhooks/<tenant>/<path>`. */
  path: string;
  scheme: SenderScheme;
  secret: string;
  /** Header of the signature where the scheme leaves it open (`hmac`). */
  signatureHeader?: string;
}
