import { defineSet } from "./set-table.ts";

/**
 * Functional acknowledgment (997), 004010.
 *
 * Order and limits of 004010 as public grammars give them: bots-edi/bots-grammars x12/4010, apimeister/x12-types.
 */
export const SET_997 = defineSet({
  code: "997",
  version: "004010",
  functionalId: "FA",
  label: "Functional acknowledgment",
  structure: `
ST M 1
AK1 M 1
loop AK2 O 999999
  AK2 O 1
  loop AK3 O 999999
    AK3 O 1
    AK4 O 99
  AK5 M 1
AK9 M 1
SE M 1
`,
});
