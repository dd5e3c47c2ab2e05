import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { Address, Amount, CalendarDate, Carrier, Identifier, Reference, oneOf } from "./fields.ts";

const Party = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 200, description: "Legal name" }),
  id: Type.Optional(Identifier("Account number in the sender's system")),
  taxId: Type.Optional(Type.String({ maxLength: 40, description: "EIN, VAT or GST number" })),
  address: Type.Optional(Address),
});

/** A charge: what for, how much. */
const Charge = Type.Object(
  {
    type: oneOf(
      [
        "LINEHAUL",
        "FUEL_SURCHARGE",
        "DETENTION",
        "LAYOVER",
        "LUMPER",
        "STOP_OFF",
        "TONU",
        "ACCESSORIAL",
        "TAX",
        "DISCOUNT",
        "OTHER",
      ],
      { description: "Kind of charge; TONU: truck ordered, not used" },
    ),
    description: Type.Optional(Type.String({ maxLength: 500, description: "Text on the invoice" })),
    amount: Amount("The charge."),
  },
  { description: "A charge that is not part of a line" },
);

const Line = Type.Object(
  {
    lineNumber: Type.Integer({ minimum: 1, maximum: 9999, description: "From 1" }),
    description: Type.String({ minLength: 1, maxLength: 500, description: "What is charged" }),
    loadId: Type.Optional(Identifier("The load that it is for")),
    quantity: Type.Optional(
      Type.String({ pattern: "^\\d{1,12}(?:\\.\\d{1,6})?$", description: "Decimal string", examples: ["1"] }),
    ),
    unit: Type.Optional(
      Type.String({
        maxLength: 10,
        description: "Unit of the quantity (UN/ECE recommendation 20, or words)",
      }),
    ),
    unitPrice: Type.Optional(Amount("Price of one unit.")),
    amount: Amount("Total of the line without tax."),
    taxAmount: Type.Optional(Amount("Tax of the line.")),
  },
  { description: "One line" },
);

/** Body of `INVOICE`: a freight invoice or credit note (X12 210). */
export const Invoice = Type.Object(
  {
    invoiceNumber: Identifier("Number on the invoice, unique for its issuer"),
    type: Type.Optional(
      oneOf(["INVOICE", "CREDIT_NOTE"], {
        default: "INVOICE",
        description: "INVOICE when left out",
      }),
    ),
    status: Type.Optional(
      oneOf(["DRAFT", "ISSUED", "SENT", "PARTIALLY_PAID", "PAID", "OVERDUE", "DISPUTED", "VOID"], {
        description: "State at the sender",
      }),
    ),
    issueDate: CalendarDate("Date of the invoice."),
    dueDate: Type.Optional(CalendarDate("Last day to pay.")),
    currency: Type.String({ pattern: "^[A-Z]{3}$", description: "ISO 4217", examples: ["USD"] }),
    terms: Type.Optional(
      Type.Object(
        {
          netDays: Type.Integer({ minimum: 0, maximum: 365, description: "Days to pay" }),
          discountPercent: Type.Optional(
            Type.Number({ minimum: 0, maximum: 100, description: "Discount for early payment, percent" }),
          ),
          discountDays: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 365, description: "Days in which the discount holds" }),
          ),
        },
        { description: "Payment terms" },
      ),
    ),
    loadId: Type.Optional(Identifier("The load, when the invoice is for one")),
    referenceNumbers: Type.Optional(Type.Array(Reference, { maxItems: 50 })),
    carrier: Type.Optional(Carrier),
    billTo: Party,
    remitTo: Type.Optional(Party),
    lines: Type.Array(Line, { minItems: 1, maxItems: 1000, description: "At least one line" }),
    charges: Type.Optional(Type.Array(Charge, { maxItems: 200 })),
    subtotal: Type.Optional(Amount("Lines and charges without tax.")),
    taxTotal: Type.Optional(Amount("All taxes.")),
    total: Amount("What is to be paid."),
    amountDue: Type.Optional(Amount("What is still open.")),
    notes: Type.Optional(Type.String({ maxLength: 2000, description: "Free text" })),
  },
  { title: "Invoice", description: "A freight invoice or credit note" },
);
export type Invoice = Static<typeof Invoice>;
