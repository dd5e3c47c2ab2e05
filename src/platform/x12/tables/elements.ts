import { type ElementRule, readElements } from "./table-notation.ts";

/**
 * Data elements of 004010 that the tables use: reference number, type, shortest and longest value, and a label of our
 * own. Sources: the public 004010 implementation guides of Ryder (214), Catalyst Paper (204) and AAFES, the grammars of
 * bots-edi/bots-grammars and the segment notes of apimeister/x12-types, compared with each other.
 */
const ELEMENTS_004010 = `
I01 ID 2 2 Authorization qualifier
I02 AN 10 10 Authorization
I03 ID 2 2 Security qualifier
I04 AN 10 10 Security
I05 ID 2 2 Id qualifier
I06 AN 15 15 Sender id
I07 AN 15 15 Receiver id
I08 DT 6 6 Date
I09 TM 4 4 Time
I10 ID 1 1 Standard or repetition separator
I11 ID 5 5 Interchange version
I12 N0 9 9 Interchange control number
I13 ID 1 1 Acknowledgment requested
I14 ID 1 1 Usage
I15 AN 1 1 Component separator
I16 N0 1 5 Number of groups
I17 ID 1 1 Interchange acknowledgment
I18 ID 3 3 Interchange note
I19 ID 1 1 Grade of service
I20 ID 2 2 Delivery state
2 N0 1 6 Sets accepted
7 AN 6 17 Bank account
8 ID 1 1 Bank client
16 ID 1 1 Charge payment method
19 AN 2 30 City
20 AN 3 9 Client bank number
22 AN 1 30 Commodity
23 ID 1 1 Commodity code list
24 ID 4 4 Equipment type
26 ID 2 3 Country
28 N0 1 9 Group control number
32 DT 8 8 Delivery date
33 ID 1 1 Exception
34 N1 1 4 Service standard
39 ID 1 1 Entitlement
40 ID 2 2 Equipment description
46 AN 4 4 Ex parte
56 ID 2 2 Type of service
58 N2 1 12 Charge
59 AN 2 5 Freight class
60 R 1 9 Rate
61 AN 1 30 Message
62 AN 4 10 Hazard code
63 AN 1 24 Hazard contact
64 AN 2 30 Hazard description
65 R 1 8 Height
66 ID 1 2 Id code list
67 AN 2 80 Id
71 N0 1 3 Inquiry number
74 N2 2 12 Declared value
76 AN 1 22 Invoice number
77 N0 1 3 Flash point
79 AN 1 50 Description of goods
80 N0 1 7 Quantity of goods
81 R 1 10 Weight
82 R 1 8 Length
86 N0 1 3 Number of equipment
87 AN 1 48 Marks
88 ID 1 2 Marks qualifier
90 ID 1 1 Measurement unit
91 ID 1 2 Mode of transport
92 ID 2 2 Purchase order type
93 AN 1 60 Name
96 N0 1 10 Number of segments
97 N0 1 6 Number of sets
98 ID 2 3 Role
100 ID 3 3 Currency
102 ID 1 1 Owner
103 AN 3 5 Packaging
106 AN 1 25 Event
107 ID 1 2 Payment method
108 ID 1 2 Pickup or delivery
117 N2 1 9 Prepaid amount
119 AN 1 6 Rate basis
120 AN 3 9 Rate combination point
121 ID 1 3 Rate class
122 ID 2 2 Rate qualifier
123 N0 1 6 Sets received
116 ID 3 15 Postal code
124 AN 2 15 Receiver code
127 AN 1 30 Reference
128 ID 2 3 Reference qualifier
133 ID 1 2 Routing sequence
140 ID 2 4 Carrier (SCAC)
142 AN 2 15 Sender code
143 ID 3 3 Set code
145 AN 1 30 Shipment number
146 ID 2 2 Payment of freight
147 ID 1 1 Shipment qualifier
150 ID 3 3 Special charge
152 ID 2 3 Special handling
153 AN 2 30 Handling description
154 ID 6 9 Standard point location
156 ID 2 2 State or province
163 ID 2 2 Stop reason
165 N0 1 3 Stop number
166 AN 1 55 Address
167 N0 3 8 Tare weight
168 ID 1 4 Tariff agency
169 AN 1 16 Tariff item
170 N0 1 2 Tariff item part
171 AN 1 7 Tariff number
172 AN 1 2 Tariff section
173 AN 1 4 Tariff supplement
176 ID 1 2 Time qualifier
183 R 1 8 Volume
184 ID 1 1 Volume unit
187 ID 1 2 Weight qualifier
188 ID 1 1 Weight unit
189 R 1 8 Width
190 ID 1 1 Accomplished
191 N2 1 9 Advances
193 N2 1 12 Net amount due
200 AN 1 6 Hazard page
202 ID 2 2 Correction
205 N0 1 6 Dunnage
206 AN 1 4 Equipment initial
207 AN 1 10 Equipment number
208 ID 1 1 Hazard code list
209 AN 1 4 Hazard class
211 ID 3 3 Packaging form
213 N0 1 3 Line number
215 ID 1 30 Hazard classification
218 ID 14 40 Placard
219 AN 1 3 Position
220 R 1 11 Rated quantity
221 ID 2 2 Rated quantity qualifier
222 ID 4 25 Hazard endorsement
224 AN 1 25 Hazard shipping name
225 AN 2 15 Seal
227 AN 1 2 Tariff column
230 ID 1 3 Subsidiary classification
232 N0 2 6 Weight allowance
234 AN 1 48 Product
235 ID 2 2 Product code list
238 AN 1 12 Emergency plan
241 ID 1 4 Protective service
242 ID 1 7 Vent instruction
254 ID 1 3 Packing group
257 ID 1 1 Tariff application
267 N0 1 6 Net explosive quantity
271 ID 1 2 Subsidiary risk
272 ID 1 1 Hazard certification
273 AN 1 25 Hazard declaration
274 AN 1 30 Hazard material classification
276 AN 2 25 Special charge description
277 ID 6 6 UN or NA number
280 R 4 10 Exchange rate
284 ID 2 2 Service level
294 N0 1 5 Tariff distance
295 ID 1 1 Distance qualifier
301 ID 1 4 Car type
304 ID 3 3 Event code
305 ID 2 3 Transaction handling
309 ID 1 2 Location qualifier
310 AN 1 30 Location
319 AN 3 6 Temperature control
324 AN 1 22 Purchase order
327 AN 1 8 Change order
328 AN 1 30 Release
329 AN 4 9 Set control number
333 ID 1 2 Terms basis
335 ID 3 3 Transport terms
336 ID 2 2 Terms type
337 TM 4 8 Time
338 R 1 6 Terms discount percent
342 R 1 5 Percent of invoice
346 ID 2 2 Application
350 AN 1 20 Assigned id
351 N0 1 3 Discount days
352 AN 1 80 Description
353 ID 2 2 Purpose
355 ID 2 2 Unit
362 N2 1 10 Discount amount
363 ID 3 3 Note type
364 AN 1 80 Communication number
365 ID 2 2 Communication kind
366 ID 2 2 Contact function
367 AN 1 30 Contract
369 AN 1 45 Free text
370 DT 8 8 Discount due date
372 ID 1 1 Liability
373 DT 8 8 Date
374 ID 3 3 Date qualifier
375 ID 2 2 Tariff service
380 R 1 15 Quantity
382 R 1 10 Units shipped
386 N0 1 3 Net days
388 DT 8 8 Deferred due date
389 N2 1 10 Deferred amount
395 R 1 8 Unit weight
399 ID 1 1 Pallet exchange
406 N0 1 3 Pallets
408 R 1 4 Temperature
432 ID 2 2 Date qualifier
443 AN 1 20 Contact inquiry
446 DT 8 8 Net due date
447 AN 1 6 Loop
455 ID 1 2 Responsible agency
458 AN 2 25 Dunnage description
460 ID 1 1 Shipment weight code
479 ID 2 2 Functional group
480 AN 1 12 Version
501 ID 2 2 Customs documents
508 AN 1 35 Account number
554 N0 1 6 Assigned number
558 ID 1 1 Reservation action
560 ID 2 10 Special service
567 N0 4 5 Equipment length
571 ID 1 1 Tare qualifier
591 ID 3 3 Payment method
595 ID 1 1 Compartment
610 N2 1 15 Amount
619 AN 2 3 Zone
623 ID 2 2 Time zone
628 AN 1 12 Hierarchy id
641 ID 3 3 Status reason
647 ID 1 3 Application error
649 R 1 10 Multiplier
665 ID 1 1 Residue
706 ID 2 2 Relationship
715 ID 1 1 Group acknowledgment
716 ID 1 3 Group error
717 ID 1 1 Set acknowledgment
718 ID 1 3 Set error
719 N0 1 6 Segment position
720 ID 1 3 Segment error
721 ID 2 3 Segment id
722 N0 1 2 Element position
723 ID 1 3 Element error
724 AN 1 99 Bad value
725 N0 1 4 Element reference
734 AN 1 12 Hierarchy parent
735 ID 1 2 Hierarchy level
736 ID 1 1 Hierarchy child
737 ID 2 2 Measurement reference
738 ID 1 3 Measurement qualifier
739 R 1 20 Measurement
740 R 1 20 Range minimum
741 R 1 20 Range maximum
752 ID 2 2 Surface or layer
759 ID 2 2 Reportable quantity
761 N0 1 1 Check digit
765 N0 1 2 Day of month
782 R 1 18 Amount
784 N0 1 15 Length of data
785 B 1 1048576 Data
786 ID 2 2 Security level
787 N0 1 15 Record length
788 N0 1 5 Block length
789 ID 2 2 Drawing size
797 ID 2 2 Security technique
799 AN 1 30 Version id
800 AN 1 30 Compression
801 AN 1 30 Interchange format
802 AN 1 30 Program
803 AN 1 64 File name
804 AN 1 4 Block type
805 AN 1 25 Canadian hazard notation
806 ID 4 6 Waste stream
807 ID 12 16 Waste characteristics
808 ID 3 3 Hazard information qualifier
809 AN 1 25 Hazard information
933 AN 1 264 Message text
935 ID 2 2 Measurement significance
936 ID 2 2 Measurement attribute
954 R 1 10 Percent
983 ID 1 1 Hazard class qualifier
984 ID 1 1 Shipping name qualifier
985 ID 3 3 Not otherwise specified
986 ID 1 1 Special commodity
1018 R 1 15 Exponent
1023 ID 1 1 Hazard zone
1024 N0 1 2 Tank compartments
1025 ID 1 1 Loading or discharge place
1026 ID 3 3 Vessel material
1030 ID 3 3 Gasket
1031 ID 3 3 Lining
1035 AN 1 35 Last name or organization
1036 AN 1 25 First name
1037 AN 1 25 Middle name
1038 AN 1 10 Name prefix
1039 AN 1 10 Name suffix
1042 ID 2 2 Loading device
1043 R 1 2 Diameter
1044 ID 3 3 Hose
1045 ID 2 2 Inlet or outlet material
1046 ID 2 2 Inlet or outlet fitting
1047 ID 2 2 Miscellaneous equipment
1065 ID 1 1 Entity type
1073 ID 1 1 Yes or no
1271 AN 1 30 Industry code
1274 AN 2 2 Delay reason
1280 ID 1 1 Direction
1373 ID 2 4 Measurement method
1375 AN 1 5 Interim hazard number
1528 N0 1 2 Component position
1570 ID 3 3 Filter
1650 ID 2 2 Shipment status
1651 ID 2 2 Status reason
1652 ID 2 2 Appointment status
1654 ID 7 7 Longitude
1655 ID 7 7 Latitude
`;

/** What 005010 changed or added, as far as the tables use it. */
const ELEMENTS_005010 = `
28 N0 1 9 Group control number
127 AN 1 50 Reference
447 AN 1 4 Loop
618 ID 1 3 Set error
620 ID 1 3 Segment error
621 ID 1 3 Element error
719 N0 1 10 Segment position
1686 N0 1 4 Repetition position
1705 AN 1 35 Implementation guide
9998 AN 1 35 Context reference
9999 AN 1 35 Context name
`;

const of004010 = readElements(ELEMENTS_004010);
const of005010 = new Map([...of004010, ...readElements(ELEMENTS_005010)]);

/** The data element dictionary of a version; 004010 stands in for the versions around it. */
export function elementsOf(version: string): ReadonlyMap<string, ElementRule> {
  return version >= "005010" ? of005010 : of004010;
}
