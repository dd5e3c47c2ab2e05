import type { Scheme } from "./scheme.ts";

export const none: Scheme = {
  name: "none",
  title: "No secret: address list and unguessable path",
  source: "DESIGN.md section 5 step 5",
  rule: { kind: "none" },
};
