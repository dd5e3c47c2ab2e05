import { defineSet } from "./set-table.ts";

/**
 * Motor carrier freight details and invoice (210), 004010.
 *
 * Order and limits of 004010 as public grammars and guides give them: bots-edi/bots-grammars x12/4010, the 210 guides of
 * Autoliv, RateLinx and R&L Carriers.
 */
export const SET_210 = defineSet({
  code: "210",
  version: "004010",
  functionalId: "IM",
  label: "Motor carrier freight details and invoice",
  structure: `
ST M 1
B3 M 1
C2 O 1
C3 O 1
ITD O 1
N9 O 300
G62 O 6
R3 O 12
H3 O 6
K1 O 10
loop 0100 O 10
  N1 O 1
  N2 O 1
  N3 O 2
  N4 O 1
  N9 O 5
loop 0200 O 10
  N7 O 1
  M7 O 2
loop 0250 O 0
  SPO O 1
  SDQ O 10
loop 0300 O 999
  S5 O 1
  N9 O 10
  G62 O 10
  H3 O 6
  loop 0305 O 0
    SPO O 1
    SDQ O 10
  loop 0310 O 2
    N1 O 1
    N2 O 1
    N3 O 2
    N4 O 1
    N9 O 5
    loop 0320 O 10
      N7 O 1
      M7 O 2
loop 0400 O 9999
  LX O 1
  N9 O 5
  POD O 1
  L5 O 30
  H1 O 3
  H2 O 2
  L0 O 10
  L1 O 10
  L4 O 10
  L7 O 10
  K1 O 10
  loop 0430 O 0
    SPO O 1
    SDQ O 10
  loop 0460 O 0
    N1 O 1
    N2 O 1
    N3 O 2
    N4 O 1
    N9 O 10
    loop 0463 O 0
      CD3 O 1
      N9 O 20
      H6 O 10
      L9 O 10
      POD O 1
      G62 O 1
    loop 0465 O 0
      SPO O 1
      SDQ O 10
L3 O 1
SE M 1
`,
});
