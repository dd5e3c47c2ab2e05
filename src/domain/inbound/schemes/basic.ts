import type { Scheme } from "./scheme.ts";

const SECRET_FORM = /^[^:\p{Cc}]+:[^\p{Cc}]{8,}$/u;

export const basic: Scheme = {
  name: "basic",
  title: "Basic authentication",
  source: "https://www.rfc-editor.org/rfc/rfc7617",
  rule: {
    kind: "basic",
    secret: {
      keys: [
        {
          prefix: "",
          form: "utf8",
          use: "compare",
          bytesMin: 10,
          pattern: {
            regex: SECRET_FORM,
            message: "must be user:password with a password of at least 8 characters",
          },
        },
      ],
      generate: { prefix: "hub:", bytes: 24, encoding: "base64url" },
    },
  },
};
