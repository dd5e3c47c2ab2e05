import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { Address, Carrier, Coordinates, DateTime, Identifier, Reference, oneOf } from "./fields.ts";

/** Status of a load and its code in EDI X12 214 (segment AT7, element 1650; A7 for what is an exception there). */
export const LOAD_STATUS_CODES = {
  TENDERED: "offered to the carrier (X12 204)",
  BOOKED: "accepted by the carrier (X12 990 B1 A)",
  DISPATCHED: "driver on the way to the pickup (214 AT7 XB)",
  ARRIVED_PICKUP: "at the pickup (214 AT7 X3 or X8)",
  LOADED: "loading completed (214 AT7 CP)",
  DEPARTED_PICKUP: "left the pickup (214 AT7 AF)",
  IN_TRANSIT: "en route to the delivery (214 AT7 X6)",
  ARRIVED_DELIVERY: "at the delivery (214 AT7 X1)",
  UNLOADED: "unloading completed (214 AT7 D1)",
  DEPARTED_DELIVERY: "left the delivery (214 AT7 CD)",
  DELIVERED: "delivered, papers signed (214 AT7 D1 with a proof of delivery)",
  DELAYED: "will miss its appointment (214 AT7 SD)",
  EXCEPTION: "damage, refusal or another problem (214 AT7 A7 or AP)",
  CANCELLED: "will not move (214 AT7 CA)",
} as const;

const LOAD_STATUSES = Object.keys(LOAD_STATUS_CODES) as (keyof typeof LOAD_STATUS_CODES)[];

/** Body of `LOAD_STATUS`: one step in the life of one load. */
export const LoadStatus = Type.Object(
  {
    loadId: Identifier("The load in the sender's system"),
    referenceNumbers: Type.Optional(Type.Array(Reference, { maxItems: 50 })),
    status: oneOf(LOAD_STATUSES, {
      description: Object.entries(LOAD_STATUS_CODES)
        .map(([code, meaning]) => `${code}: ${meaning}`)
        .join("; "),
    }),
    reasonCode: Type.Optional(
      Type.String({
        pattern: "^[A-Z0-9]{2,3}$",
        description: "Why, in X12 element 1651 (NS normal, AI mechanical breakdown, AO weather, BG other)",
        examples: ["NS"],
      }),
    ),
    eventTime: DateTime("When it happened, not when it was sent."),
    estimatedArrival: Type.Optional(DateTime("Estimate for the next stop.")),
    stop: Type.Optional(
      Type.Object(
        {
          sequence: Type.Integer({ minimum: 1, maximum: 999, description: "Position on the route, from 1" }),
          type: oneOf(["PICKUP", "DELIVERY", "STOP"]),
          address: Type.Optional(Address),
          appointmentTime: Type.Optional(DateTime("Agreed time.")),
        },
        { description: "The stop that the status is about" },
      ),
    ),
    location: Type.Optional(Type.Object(Coordinates, { description: "Where the truck was" })),
    carrier: Type.Optional(Carrier),
    equipment: Type.Optional(
      Type.Object({
        tractorNumber: Type.Optional(Identifier("Unit number of the tractor")),
        trailerNumber: Type.Optional(Identifier("Unit number of the trailer")),
        type: Type.Optional(oneOf(["VAN", "REEFER", "FLATBED", "STEP_DECK", "TANKER", "CONTAINER", "OTHER"])),
      }),
    ),
    proofOfDelivery: Type.Optional(
      Type.Object({
        signedBy: Type.String({ minLength: 1, maxLength: 200, description: "Who signed" }),
        signedAt: DateTime("When."),
        documentUrl: Type.Optional(
          Type.String({ pattern: "^https://", maxLength: 2048, description: "The signed paper" }),
        ),
      }),
    ),
    notes: Type.Optional(Type.String({ maxLength: 2000, description: "Free text" })),
  },
  { title: "LoadStatus", description: "One status event of one load" },
);
export type LoadStatus = Static<typeof LoadStatus>;
