/**
 * Code lists that are short, complete and decide something: another value is an error. Long lists (reference and date
 * qualifiers, units, status reasons) are partners' matters and are not checked. Sources as in elements.ts; 715 to 723
 * from the published lists of 997 error codes (Microsoft BizTalk documentation, eclaims.com).
 */
const CODES: Readonly<Record<string, string>> = {
  I13: "0 1 2 3",
  I14: "I P T",
  I17: "A E R",
  163: "AL CL CN CU DR DT HT IN LD LE PA PL PU RT SL SU TL UL WL",
  558: "A B C D N R U",
  715: "A E M P R W X",
  717: "A E M R W X",
  736: "0 1",
  1065: "1 2 3 4 5 6 7 8 D X",
  1073: "N U W Y",
  1280: "E N S W",
  1652: "AA AB AC ED EP LD LP X9 XA",
};

export const CODE_LISTS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(CODES).map(([element, codes]) => [element, new Set(codes.split(" "))]),
);
