import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

/** Roles of the running hub; the schema's owner is whoever migrates. */
export const APP_ROLE = "hub_app";
export const SYSTEM_ROLE = "hub_system";
export type HubRole = typeof APP_ROLE | typeof SYSTEM_ROLE;

export interface RoleUrls {
  /** Login of hub_app. */
  appUrl: string;
  /** Login of hub_system. */
  systemUrl: string;
}

const POSTGRES_URL = /^(postgres(?:ql)?:\/\/)(?:([^/?#]*)@)?(.*)$/s;

/**
 * Logins of the two roles, derived from the owner's, so that one DATABASE_URL is enough and no further secret has to be
 * stored. Every process that knows the owner's password (or, where the URL has none, the first encryption key) derives
 * the same ones; nobody can get from a role's password to the owner's.
 *
 * @param ownerUrl DATABASE_URL
 * @param encryptionKeyList INTEGRATION_ENCRYPTION_KEY, may be empty
 * @returns URLs without a password when there is neither: right for `trust`, certificate and peer logins
 * @throws RangeError when the text is no postgres:// URL
 */
export function deriveRoleUrls(ownerUrl: string, encryptionKeyList = ""): RoleUrls {
  const match = POSTGRES_URL.exec(ownerUrl);
  if (!match)
    throw new RangeError("Cannot read DATABASE_URL: expected postgres://user:password@host:port/database");
  const [, scheme, userInfo = "", rest] = match;
  const ownerPassword = userInfo.includes(":") ? userInfo.slice(userInfo.indexOf(":") + 1) : "";
  const secret = ownerPassword || encryptionKeyList.split(",")[0]!.trim();
  const urlOf = (role: HubRole): string => {
    const password = secret === "" ? "" : `:${derivePassword(secret, role)}`;
    return `${scheme}${role}${password}@${rest}`;
  };
  return { appUrl: urlOf(APP_ROLE), systemUrl: urlOf(SYSTEM_ROLE) };
}

function derivePassword(secret: string, role: HubRole): string {
  return createHmac("sha256", secret).update(`integration-hub role password v1:${role}`).digest("hex");
}

/** Password inside a URL, decoded; undefined when it has none. */
export function passwordOf(url: string): string | undefined {
  const userInfo = POSTGRES_URL.exec(url)?.[2] ?? "";
  const colon = userInfo.indexOf(":");
  return colon < 0 ? undefined : decodeURIComponent(userInfo.slice(colon + 1));
}

const SCRAM_ITERATIONS = 4096;

/**
 * What Postgres itself would store for a password (RFC 5803 form of RFC 7677). Sent instead of the password, which
 * would otherwise stand in the server's log wherever statements are logged.
 *
 * @param password ASCII only: no SASLprep is done
 */
export function scramVerifier(password: string, salt: Uint8Array = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, "sha256");
  const keyOf = (label: string): Buffer => createHmac("sha256", salted).update(label).digest();
  const storedKey = createHash("sha256").update(keyOf("Client Key")).digest("base64");
  const serverKey = keyOf("Server Key").toString("base64");
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${Buffer.from(salt).toString("base64")}$${storedKey}:${serverKey}`;
}
