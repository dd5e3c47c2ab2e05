/** A 204 of 2.2 KB with four stops, as shippers send it; `setNumber` makes it another one. */
export function loadTender(setNumber = 1): string {
  const control = String(setNumber).padStart(4, "0");
  const stops = [
    ["1", "CL", "ACME FOODS PLANT 7", "SH", "4500 W 31ST ST", "CHICAGO", "IL", "60623"],
    ["2", "PU", "LAKESIDE COLD STORAGE", "CN", "812 HARBOR DR", "GARY", "IN", "46402"],
    ["3", "PU", "MIDWEST GROCERS DC 12", "CN", "2200 COMMERCE PKWY", "TOLEDO", "OH", "43612"],
    ["4", "CU", "BUCKEYE MARKETS", "CN", "77 DISTRIBUTION WAY", "COLUMBUS", "OH", "43217"],
  ] as const;
  const body = [
    `ST*204*${control}`,
    `B2**SCAC**75027${control}**PP`,
    "B2A*00*LT",
    "L11*3297832*PO",
    "L11*0000011660*CR*Ship to party",
    "G62*64*20261123*1*1030*CT",
    "MS3*SCAC*B**M",
    "AT5*FRZ**KEEP FROZEN AT ALL TIMES",
    "PLD*22",
    "NTE*OTH*CALL 24 HOURS BEFORE DELIVERY FOR AN APPOINTMENT",
    "N1*BT*ACME FREIGHT PAYABLES*93*ACMEBT",
    "N3*PO BOX 1900",
    "N4*CHICAGO*IL*60680*US",
    "G61*IC*DISPATCH DESK*TE*3125550100",
    "N7**53TBD*********RT****5300",
    ...stops.flatMap(([number, reason, name, role, street, city, state, zip]) => [
      `S5*${number}*${reason}*10500*L*550*CA*1200*E`,
      "L11*88756818*BM",
      "L11*4471-20*DO",
      "G62*37*20261124*I*0800*CT",
      "G62*38*20261124*K*1400*CT",
      "AT8*G*L*10500*22*550",
      `N1*${role}*${name}*93*${zip}A`,
      `N3*${street}`,
      `N4*${city}*${state}*${zip}*US`,
      "G61*RC*RECEIVING*TE*3125550177",
      "L5*1*FROZEN MIXED VEGETABLES*73227*N*CTN",
      "AT8*G*L*10500*22*550",
      `OID*88756818*4500123${number}**CA*550*L*10500*E*1200`,
      "LAD*CTN*550***L*10500*******FROZEN MIXED VEGETABLES",
    ]),
    "L3*42000*G*1850*FR*185000******2200",
  ];
  return [
    "ISA*00*          *00*          *ZZ*ACMEFREIGHT    *02*SCAC           *261123*1030*U*00401*000000101*0*P*>",
    "GS*SM*ACMEFREIGHT*SCAC*20261123*1030*55*X*004010",
    ...body,
    `SE*${body.length + 1}*${control}`,
    "GE*1*55",
    "IEA*1*000000101",
  ]
    .map((segment) => `${segment}~`)
    .join("\n");
}

/** An interchange with one group and the given sets' bodies, its counts right. */
export function wrap(
  sets: readonly { code: string; body: readonly string[]; control?: string }[],
  options: {
    functionalId?: string;
    version?: string;
    isa11?: string;
    isa12?: string;
    terminator?: string;
  } = {},
): string {
  const { functionalId = "SM", version = "004010", isa11 = "U", isa12 = "00401", terminator = "~" } = options;
  const segments = [
    `ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261123*1030*${isa11}*${isa12}*000000101*0*P*>`,
    `GS*${functionalId}*SENDER*RECEIVER*20261123*1030*55*X*${version}`,
  ];
  for (const [index, { code, body, control = String(index + 1).padStart(4, "0") }] of sets.entries()) {
    segments.push(`ST*${code}*${control}`, ...body, `SE*${body.length + 2}*${control}`);
  }
  segments.push(`GE*${sets.length}*55`, "IEA*1*000000101");
  return segments.map((segment) => segment + terminator).join("");
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text);
