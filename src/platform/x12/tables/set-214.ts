import { defineSet } from "./set-table.ts";

/**
 * Shipment status (214), 004010.
 *
 * Order and limits of 004010 as public grammars and guides give them: bots-edi/bots-grammars x12/4010, Stedi's 004010
 * reference, the 214 guide of Ryder.
 */
export const SET_214 = defineSet({
  code: "214",
  version: "004010",
  functionalId: "QM",
  label: "Shipment status",
  structure: `
ST M 1
B10 M 1
L11 O 300
MAN O 9999
K1 O 10
loop 0100 O 10
  N1 O 1
  N2 O 1
  N3 O 2
  N4 O 1
  G61 O 1
  G62 O 1
  L11 O 10
MS3 O 12
loop 0200 O 999999
  LX O 1
  loop 0205 O 10
    AT7 O 1
    MS1 O 1
    MS2 O 1
  L11 O 10
  MAN O 9999
  Q7 O 10
  K1 O 10
  AT5 O 10
  AT8 O 10
  loop 0210 O 999999
    CD3 O 1
    L11 O 20
    loop 0215 O 10
      AT7 O 1
      MS1 O 1
      MS2 O 1
    NM1 O 1
    Q7 O 10
    AT8 O 1
    MAN O 9999
    loop 0220 O 999999
      N1 O 1
      N2 O 1
      N3 O 3
      N4 O 1
      L11 O 10
  loop 0230 O 999999
    PRF O 1
    loop 0231 O 999999
      N1 O 1
      N2 O 1
      N3 O 2
      N4 O 1
      L11 O 10
    loop 0233 O 999999
      CD3 O 1
      L11 O 20
      loop 0240 O 10
        AT7 O 1
        MS1 O 1
        MS2 O 1
      MAN O 9999
  loop 0250 O 999999
    SPO O 1
    SDQ O 10
  loop 0260 O 99999
    EFI O 1
    BIN M 1
SE M 1
`,
});
