import { elementsOf } from "./elements.ts";
import { type SegmentRule, readSegments } from "./table-notation.ts";

/** Segments of 004010, composites first. Sources as in elements.ts; the notation is that of `readSegments`. */
const SEGMENTS_004010 = `
C001 Unit | 355M 1018 649 355 1018 649 355 1018 649 355 1018 649 355 1018 649
C030 Position in the segment | 722M 1528
C040 Reference | 128M 127M 128 127 128 127 | P0304 P0506
ISA Interchange header | I01M I02M I03M I04M I05M I06M I05M I07M I08M I09M I10M I11M I12M I13M I14M I15M
IEA Interchange trailer | I16M I12M
ISB Grade of service | I19M
ISE Deferred delivery | I08M I09M I20
TA1 Interchange acknowledgment | I12M I08M I09M I17M I18M
GS Group header | 479M 142M 124M 373M 337M 28M 455M 480M
GE Group trailer | 97M 28M
ST Set header | 143M 329M
SE Set trailer | 96M 329M
AK1 Group acknowledged | 479M 28M
AK2 Set acknowledged | 143M 329M
AK3 Segment with errors | 721M 719M 447 720
AK4 Element with errors | C030M 725 723M 724
AK5 Result of the set | 717M 718 718 718 718 718
AK9 Result of the group | 715M 97M 123M 2M 716 716 716 716 716
AT5 Handling | 152 560 153 | R010203
AT7 Status | 1650 1651 1652 1651 373 337 623 | P0102 E0103 P0304 C0605 C0706
AT8 Weight, packaging and quantity | 187 188 81 80 80 184 183 | P010203 P0607
B1 Start of booking or pickup | 140 145M 373 558
B10 Start of shipment status | 127 145 140M 71 128 127 1073 | R0106 P0506
B2 Start of shipment information | 375 140 154 145 188 146M 147 86 460 501 335 591
B2A Purpose | 353M 346
B3 Start of invoice | 147 76M 145 146M 188 373M 193M 202 32 374 140M 373 375 335 | P0910
BDS Binary data with filter | 1570M 784M 785M
BIN Binary data | 784M 785M
C2 Bank | 8M 66M 67M 20 7 107 373
C3 Currency | 100M 280 100 100
CD3 Carton | 187 81 619 34 284 108 122 58 122 58 284 284 591 26 | P0102
EFI Electronic format | 786M 933 797 799 802 799 801 799 800 789 803 804 787 788 799 1570
G61 Contact | 366M 93M 365 364 443 | P0304
G62 Date and time | 432 373 176 337 623 | R0103 P0102 P0304 C0503
H1 Hazardous material | 62M 209 208 64 63 200 77 355 254 | P0708
H2 More about hazardous material | 64M 274
H3 Special handling | 152 153 241 242 257
H6 Special services | 560 560 406 399 81 188 108
HL Hierarchical level | 628M 734 735M 736
ITD Terms of sale | 336 333 338 370 351 446 386 362 388 389 342 352 765 107 954
K1 Remarks | 61M 61
L0 Line: quantity and weight | 213 220 221 81 187 183 184 80 211 458 188 56 380 211 1073 | P0203 P0405 P0607 P0809 C1104 P1315
L1 Line: rate and charges | 213 60 122 58 191 117 120 150 121 39 16 276 257 74 122 372 220 221 954 100 610 | P0203 R040506 P1415 P1718
L11 Reference | 127 128 352 | R0103 P0102
L3 Totals | 81 187 60 122 58 191 117 150 183 184 80 188 171 74 122 | P0102 P0304 P0910 C1201 P1415
L4 Measurement | 82M 189M 65M 90M 380 1271
L5 Description and marks | 213 79 22 23 103 87 88 23 22 595 | P0304 C0706 P0809
L7 Tariff reference | 213 168 171 172 169 170 59 173 46 373 119 227 294 295 19 156
L9 Charge | 150M 782M
LAD Lading | 211 80 188 395 188 81 235 234 235 234 235 234 79 | P0102 P0304 P0506 P0708 P0910 P1112
LEP Environmental data | 806 807 156 127 | P0304
LFH Hazard information | 808M 809M 809 1023 355 380 380 | P0506
LH1 Hazard identification | 355M 80M 277 200 22 355 380 595 665 254 1375
LH2 Hazard classification | 215 983 218 222 759 355 408 355 408 355 408 | P0607 P0809 P1011
LH3 Hazard shipping name | 224 984 985 1073 | P0102
LH4 Canadian dangerous goods | 238 364 254 230 230 230 271 267 805 986 364 355 | P0812
LH6 Hazard certification | 93 272 273 273
LHT Transborder hazard | 215 218 222
LX Line | 554M
M7 Seals | 225M 225 225 225 98
MAN Marks and numbers | 88M 87M 87 88 87 87 | P0405 C0605
MEA Measurement | 737 738 739 C001 740 741 935 936 752 1373
MS1 Position | 19 156 26 1654 1655 1280 1280 | L010203 E0104 C0201 C0301 P0405 C0604 C0705
MS2 Equipment | 140 207 40 761 | P0102
MS3 Interline | 140M 133M 19 91 156 | C0503
N1 Party | 98M 93 66 67 706 98 | R0203 P0304
N2 More of the name | 93M 93
N3 Address | 166M 166
N4 Place | 19 156 116 26 309 310 | C0605
N7 Equipment | 206 207M 81 187 167 232 205 183 184 102 40 140 319 219 567 571 188 761 56 65 189 24 140 301 | P0304 P0516 P0809
N7A Equipment to load | 1042 82 1043 1044 1043 1043 1045 1046 1047
N7B More about equipment | 1024 1025 1026 1030 1031 127
N9 Reference | 128M 127 369 373 337 623 C040 | R0203 C0605
NM1 Name | 98M 1065M 1035 1036 1037 1038 1039 66 67 706 98 | P0809 C1110
NTE Note | 363 352M
OID Order | 127 324 127 355 380 188 81 184 183 | R0102 P0405 P0607 P0809
PLD Pallets | 406M 399 188 81 | P0304
POD Proof of delivery | 373M 337 93M
PRF Purchase order | 324M 328 327 373 350 367 92
Q7 Exception | 33M 211 80 | P0203
R3 Route | 140M 133M 19 91 154 76 373 610 369 284 284 284
S5 Stop | 165M 163M 81 188 382 355 183 184 352 154 190 | P0304 P0506 P0708
SDQ Quantity by destination | 355M 66 67M 380M 67 380 67 380 67 380 67 380 67 380 67 380 67 380 67 380 67 380 310 | P0506 P0708 P0910 P1112 P1314 P1516 P1718 P1920 P2122
SPO Purchase order of the shipment | 324M 127 355 380 188 81 647 127 | P0304 P0506
V9 Event | 304M 106 373 337 19 156 26 641 154 380 1274 61 623 380 154 86 86 86 81 82
`;

/** What 005010 changed or added, as far as the tables use it. */
const SEGMENTS_005010 = `
C030 Position in the segment | 722M 1528 1686
C998 Context | 9999M 9998
C999 Reference in the segment | 725M 725
ST Set header | 143M 329M 1705
AK1 Group acknowledged | 479M 28M 480
AK2 Set acknowledged | 143M 329M 1705
AK4 Element with errors | C030M 725 723M 724
CTX Context | C998M*10 721 719 447 C030 C999 | P0203 C0403 C0503
IK3 Segment with errors | 721M 719M 447 620
IK4 Element with errors | C030M 725 621M 724
IK5 Result of the set | 717M 618 618 618 618 618
`;

const of004010 = readSegments(SEGMENTS_004010, elementsOf("004010"));
const of005010 = readSegments(SEGMENTS_004010 + SEGMENTS_005010, elementsOf("005010"));

/** The segment directory of a version (GS08); 004010 stands in for the versions around it. */
export function segmentsOf(version: string): ReadonlyMap<string, SegmentRule> {
  return version >= "005010" ? of005010 : of004010;
}
