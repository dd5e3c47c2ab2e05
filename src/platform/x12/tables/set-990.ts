import { defineSet } from "./set-table.ts";

/**
 * Response to a load tender (990), 004010.
 *
 * Order and limits of 004010 as public grammars and guides give them: bots-edi/bots-grammars x12/4010, Stedi's 004010
 * reference.
 */
export const SET_990 = defineSet({
  code: "990",
  version: "004010",
  functionalId: "GF",
  label: "Response to a load tender",
  structure: `
ST M 1
B1 M 1
N9 O 1
G62 O 6
N7 O 1
L9 O 40
V9 O 10
K1 O 10
loop 0100 O 999
  S5 O 1
  N9 O 10
  G62 O 10
  K1 O 10
SE M 1
`,
});
