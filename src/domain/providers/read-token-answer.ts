import { getPointer } from "../../platform/json/pointer.ts";
import type { TokenAnswer } from "./auth-schema.ts";
import { readSpanMs } from "./read-time.ts";
import type { TimeFormat } from "./request-schema.ts";

/** What a token endpoint answered. */
export type TokenReading =
  | {
      ok: true;
      accessToken: string;
      /** Undefined when none came: the one that was used goes on being valid, unless the policy says otherwise. */
      refreshToken: string | undefined;
      /** Undefined when the answer does not say. */
      expiresInMs: number | undefined;
      /** Life of the refresh token, and of the whole log-in; undefined when the answer does not say. */
      refreshEndsInMs?: number | undefined;
      loginEndsInMs?: number | undefined;
      /** Values of derived fields. */
      captured: Record<string, string>;
    }
  | { ok: false; code: "token_refused" | "token_missing"; error: string | undefined };

/** Reads a token endpoint's answer where the manifest says. */
export function readTokenAnswer(answer: TokenAnswer, body: unknown, nowMs: number): TokenReading {
  const error = answer.error === undefined ? undefined : textAt(body, answer.error);
  if (error !== undefined) return { ok: false, code: "token_refused", error };
  const accessToken = textAt(body, answer.accessToken);
  const span = (at: TokenAnswer["expires"]) => (at === undefined ? undefined : spanAt(body, at, nowMs));
  if (accessToken === undefined) return { ok: false, code: "token_missing", error: undefined };
  return {
    ok: true,
    accessToken,
    refreshToken: answer.refreshToken === undefined ? undefined : textAt(body, answer.refreshToken),
    expiresInMs: span(answer.expires),
    refreshEndsInMs: span(answer.refreshExpires),
    loginEndsInMs: span(answer.loginExpires),
    captured: readCaptured(answer.capture ?? {}, body),
  };
}

/** The values that stand where a map of names to pointers says; those that are missing are left out. */
export function readCaptured(
  capture: Readonly<Record<string, string>>,
  body: unknown,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, pointer] of Object.entries(capture)) {
    const value = textAt(body, pointer);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** When something ends, in milliseconds from now. */
export function spanAt(
  body: unknown,
  { pointer, format }: { pointer: string; format: TimeFormat },
  nowMs: number,
): number | undefined {
  const text = textAt(body, pointer);
  return text === undefined ? undefined : readSpanMs(text, format, nowMs);
}

/** Where in the answer of a token endpoint secrets stand: what no log may show, whatever the members are called. */
export function secretPlaces({ accessToken, refreshToken }: TokenAnswer): string[] {
  return [accessToken, ...(refreshToken === undefined ? [] : [refreshToken])];
}

/** The texts at these places (JSON pointers); those that are missing are left out. */
export function textsAt(body: unknown, places: readonly string[]): string[] {
  return places.map((place) => textAt(body, place)).filter((text) => text !== undefined);
}

function textAt(body: unknown, pointer: string): string | undefined {
  const value = getPointer(body, pointer);
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}
