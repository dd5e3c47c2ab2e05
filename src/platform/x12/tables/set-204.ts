import { defineSet } from "./set-table.ts";

/**
 * Motor carrier load tender (204), 004010.
 *
 * Order and limits of 004010 as public grammars and guides give them: bots-edi/bots-grammars x12/4010, apimeister/x12-types,
 * the 204 guides of Catalyst Paper and of Ryder.
 */
export const SET_204 = defineSet({
  code: "204",
  version: "004010",
  functionalId: "SM",
  label: "Motor carrier load tender",
  structure: `
ST M 1
B2 M 1
B2A M 1
L11 O 50
G62 O 1
MS3 O 1
AT5 O 6
PLD O 1
LH6 O 6
NTE O 10
loop 0100 O 5
  N1 O 1
  N2 O 1
  N3 O 2
  N4 O 1
  L11 O 1
  G61 O 3
loop 0200 O 10
  N7 O 1
  N7A O 1
  N7B O 1
  MEA O 1
  M7 O 2
loop 0300 M 999
  S5 M 1
  L11 O 50
  G62 O 2
  AT8 O 1
  LAD O 999
  AT5 O 6
  PLD O 1
  NTE O 20
  loop 0310 O 1
    N1 O 1
    N2 O 1
    N3 O 2
    N4 O 1
    G61 O 3
  loop 0320 O 99
    L5 O 1
    AT8 O 1
    loop 0325 O 99
      G61 O 1
      L11 O 5
      LH6 O 6
      loop 0330 O 25
        LH1 O 1
        LH2 O 4
        LH3 O 10
        LFH O 20
        LEP O 3
        LH4 O 1
        LHT O 3
  loop 0350 O 999
    OID O 1
    G62 O 2
    LAD O 999
    loop 0360 O 99
      L5 O 1
      AT8 O 1
      loop 0365 O 99
        G61 O 1
        L11 O 5
        LH6 O 6
        loop 0370 O 25
          LH1 O 1
          LH2 O 4
          LH3 O 10
          LFH O 20
          LEP O 3
          LH4 O 1
          LHT O 3
  loop 0380 O 10
    N7 O 1
    N7A O 1
    N7B O 1
    MEA O 1
    M7 O 2
L3 O 1
SE M 1
`,
});
