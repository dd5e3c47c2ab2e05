import type { MappingRules } from "../../src/domain/transformations/mapping/rules.ts";

/** A tender of a shipper, about 2 KB as JSON. */
export function exampleTender(number: number) {
  return {
    header: {
      documentId: `DOC-${1_000_000 + number}`,
      createdAt: "2026-03-14T09:26:53-05:00",
      sender: { code: "ACME", name: "ACME Manufacturing Inc.", contact: "dispatch@acme.example" },
      version: "3.2",
    },
    shipment: {
      id: `SHP-${500_000 + number}`,
      mode: "TL",
      equipment: "RT",
      weight: { value: "42150", unit: "LB" },
      temperature: { min: 34, max: 38, unit: "F" },
      references: [
        { type: "BM", value: `BOL${70_000 + number}` },
        { type: "PO", value: `4500${number}` },
        { type: "CR", value: `CUST-${number}` },
      ],
      notes:
        "Driver must check in at gate 4. Lumper receipts required for reimbursement. No overnight parking.",
      stops: [
        stop(1, "LD", "ACME PLANT 7", "4100 COMMERCE ST", "DALLAS", "TX", "75226", "20260316", "0800"),
        stop(2, "UL", "FRESH FOODS DC", "900 INDUSTRIAL PKWY", "MEMPHIS", "TN", "38118", "20260317", "0630"),
        stop(3, "UL", "FRESH FOODS EAST", "77 HARBOR BLVD", "ATLANTA", "GA", "30336", "20260318", "1400"),
      ],
      charges: [
        { code: "400", description: "Line haul", amount: "2450.00" },
        { code: "405", description: "Fuel surcharge", amount: "318.50" },
        { code: "SOC", description: "Stop-off charge", amount: "75.00" },
      ],
      currency: "USD",
    },
    billing: {
      name: "ACME MANUFACTURING INC C/O FREIGHT AUDIT",
      terms: "PREPAID",
      address: { street: "PO BOX 440", city: "SAINT LOUIS", state: "MO", zip: "63166", country: "US" },
    },
  };
}

function stop(
  sequence: number,
  type: string,
  name: string,
  street: string,
  city: string,
  state: string,
  zip: string,
  date: string,
  time: string,
) {
  return {
    sequence,
    type,
    location: { name, street, city, state, zip, country: "US" },
    date,
    time,
    contact: "555-0100",
    instructions:
      "Appointment required. Call one hour ahead, check in at the office with the reference number.",
  };
}

export type ExampleTender = ReturnType<typeof exampleTender>;

/** The tender as a load of the platform: moved values, tables, dates, sums, a list. */
export const TENDER_RULES: MappingRules = {
  rules: [
    { target: "loadId", from: "shipment.id", required: true },
    { target: "source.document", from: "header.documentId" },
    { target: "source.sender", from: "header.sender.code" },
    { target: "source.name", from: "header.sender.name" },
    { target: "source.createdAt", from: "header.createdAt" },
    { target: "mode", from: "shipment.mode" },
    { target: "equipment.type", from: { lookup: "shipment.equipment", table: "equipment.fromX12" } },
    { target: "equipment.temperature.min", from: "shipment.temperature.min" },
    { target: "equipment.temperature.max", from: "shipment.temperature.max" },
    { target: "weight.value", from: { call: "number", args: ["shipment.weight.value"] } },
    { target: "weight.unit", from: "shipment.weight.unit" },
    { target: "bol", from: 'shipment.references[?type="BM"][0].value' },
    {
      target: "references",
      from: {
        each: "shipment.references",
        do: {
          object: [
            { target: "type", from: { lookup: "type", table: "x12.reference", default: { value: "OTHER" } } },
            { target: "value", from: "value" },
          ],
        },
      },
    },
    {
      target: "stops",
      from: {
        each: "shipment.stops",
        do: {
          object: [
            { target: "sequence", from: "sequence" },
            { target: "type", from: { lookup: "type", table: "x12.stopType" } },
            { target: "name", from: "location.name" },
            { target: "address.line1", from: "location.street" },
            { target: "address.city", from: "location.city" },
            { target: "address.region", from: "location.state" },
            { target: "address.postalCode", from: "location.zip" },
            { target: "address.country", from: "location.country" },
            { target: "appointment", from: { concat: ["date", "time"], separator: "T" } },
          ],
        },
      },
    },
    { target: "charges", from: "shipment.charges" },
    { target: "currency", from: "shipment.currency" },
    { target: "notes", from: "shipment.notes" },
    { target: "status", from: { value: "TENDERED" } },
  ],
};

const EQUIPMENT: Readonly<Record<string, string>> = { RT: "REEFER", TL: "VAN", FT: "FLATBED" };
const STOP_TYPES: Readonly<Record<string, string>> = { LD: "PICKUP", UL: "DELIVERY" };
const REFERENCES: Readonly<Record<string, string>> = { BM: "BOL", PO: "PO", CR: "CUSTOMER" };

/** The same by hand, as one would write it for this document alone. */
export function mapTenderByHand({ header, shipment }: ExampleTender) {
  return {
    loadId: shipment.id,
    source: {
      document: header.documentId,
      sender: header.sender.code,
      name: header.sender.name,
      createdAt: header.createdAt,
    },
    mode: shipment.mode,
    equipment: {
      type: EQUIPMENT[shipment.equipment],
      temperature: { min: shipment.temperature.min, max: shipment.temperature.max },
    },
    weight: { value: Number(shipment.weight.value), unit: shipment.weight.unit },
    bol: shipment.references.find(({ type }) => type === "BM")?.value,
    references: shipment.references.map(({ type, value }) => ({ type: REFERENCES[type] ?? "OTHER", value })),
    stops: shipment.stops.map((one) => ({
      sequence: one.sequence,
      type: STOP_TYPES[one.type],
      name: one.location.name,
      address: {
        line1: one.location.street,
        city: one.location.city,
        region: one.location.state,
        postalCode: one.location.zip,
        country: one.location.country,
      },
      appointment: `${one.date}T${one.time}`,
    })),
    charges: shipment.charges,
    currency: shipment.currency,
    notes: shipment.notes,
    status: "TENDERED",
  };
}

/** JSONata for about the same load. */
export const TENDER_JSONATA = `{
  "loadId": shipment.id,
  "source": { "document": header.documentId, "sender": header.sender.code, "name": header.sender.name },
  "mode": shipment.mode,
  "weight": { "value": $number(shipment.weight.value), "unit": shipment.weight.unit },
  "bol": shipment.references[type = "BM"].value,
  "stops": shipment.stops.{
    "sequence": sequence,
    "type": type = "LD" ? "PICKUP" : "DELIVERY",
    "name": location.name,
    "city": location.city,
    "appointment": date & "T" & time
  },
  "currency": shipment.currency,
  "status": "TENDERED"
}`;

/** A flat map of fields. */
export const FLAT_JSONATA = `{
  "loadId": shipment.id,
  "document": header.documentId,
  "sender": header.sender.code,
  "mode": shipment.mode,
  "equipment": shipment.equipment,
  "currency": shipment.currency,
  "notes": shipment.notes
}`;
