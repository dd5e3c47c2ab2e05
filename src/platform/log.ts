import pino, { type DestinationStream, type Logger as PinoLogger } from "pino";

export type Logger = PinoLogger;

/** Names under which a secret could be logged by accident; pino removes the value wherever one stands. */
const SECRET_FIELDS = [
  "authorization",
  "cookie",
  "set-cookie",
  "secretKey",
  "secret",
  "secrets",
  "apiKey",
  "password",
  "token",
  "accessToken",
  "refreshToken",
  "clientSecret",
  "databaseUrl",
  "redisUrl",
  "body",
  "rawBody",
];

/**
 * A JSON logger. Secret-looking fields are removed at any of the first three levels.
 *
 * @param level least severity written
 * @param name process kind, for example `edge` or `worker`
 * @param destination where lines go; standard output when left out
 */
export function createLogger(level: string, name: string, destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    base: { name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => {
        const key = /^[a-z]+$/i.test(field) ? `.${field}` : `["${field}"]`;
        return [key.replace(/^\./, ""), `*${key}`, `*.*${key}`];
      }),
      remove: true,
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
