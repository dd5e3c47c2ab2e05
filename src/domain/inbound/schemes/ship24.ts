import type { Scheme } from "./scheme.ts";

export const ship24: Scheme = {
  name: "ship24",
  title: "Ship24",
  source: "https://docs.ship24.com/webhooks/authentication",
  rule: {
    kind: "token",
    place: { header: "authorization", prefix: "Bearer " },
    secret: {
      keys: [
        {
          prefix: "",
          form: "utf8",
          use: "compare",
          bytesMin: 16,
          pattern: { regex: /^[!-~]*$/, message: "must be visible ASCII without spaces" },
        },
      ],
      generate: { prefix: "", bytes: 32, encoding: "base64url" },
    },
  },
};
