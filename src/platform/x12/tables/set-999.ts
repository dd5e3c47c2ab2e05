import { defineSet } from "./set-table.ts";

/**
 * Implementation acknowledgment (999), 005010.
 *
 * Order and limits of 005010 as public grammars give them: bots-edi/bots-grammars x12/5010, the schemas of xlate/staedi.
 */
export const SET_999 = defineSet({
  code: "999",
  version: "005010",
  functionalId: "FA",
  label: "Implementation acknowledgment",
  structure: `
ST M 1
AK1 M 1
loop 2000 O 0
  AK2 O 1
  loop 2100 O 0
    IK3 O 1
    CTX O 10
    loop 2110 O 0
      IK4 O 1
      CTX O 10
  IK5 M 1
AK9 M 1
SE M 1
`,
});
