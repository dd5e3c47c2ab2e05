/**
 * How secrets stand in a column. `text`: the whole column. `values`: a JSON object, sealed text as value of a name, for
 * the path `/<name>`. `fields`: a JSON object of `{ "sealed" }` by name, for the path `/<name>`. `list`: a JSON array of
 * `{ "sealed", "expiresAt" }`, for the path `<expiresAt>`.
 */
export type SealedForm = "text" | "values" | "fields" | "list";

/** A column that holds secrets; its table has `tenant_id` and `id`. */
export interface SealedColumn {
  table: string;
  column: string;
  form: SealedForm;
}

/**
 * Every column of the schema in which the vault's blobs stand. Re-encryption goes through all of them and then deletes
 * the old key, so a column that is missing here would be lost: a test compares this list with the schema.
 */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: "webhook_endpoints", column: "secret_key", form: "text" },
  { table: "webhook_endpoints", column: "previous_secrets", form: "list" },
  { table: "webhook_subscriptions", column: "secret_key", form: "text" },
  { table: "webhook_subscriptions", column: "previous_secrets", form: "list" },
  { table: "webhook_subscriptions", column: "auth_config", form: "values" },
  { table: "integrations", column: "config", form: "fields" },
  { table: "integrations", column: "api_key_encrypted", form: "text" },
  { table: "integrations", column: "oauth_tokens", form: "values" },
  { table: "oauth_sessions", column: "verifier_sealed", form: "text" },
  { table: "oauth_refresh_journal", column: "tokens_sealed", form: "text" },
  { table: "idempotency_keys", column: "response_sealed", form: "text" },
  { table: "rejected_requests", column: "raw_sealed", form: "text" },
];
