import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { Carrier, Coordinates, DateTime, Identifier, oneOf } from "./fields.ts";

/** One position of a vehicle, as an ELD or a phone reports it. */
export const Position = Type.Object(
  {
    ...Coordinates,
    recordedAt: DateTime("When the position was measured."),
    speedKph: Type.Optional(Type.Number({ minimum: 0, maximum: 250, description: "Speed, km/h" })),
    headingDegrees: Type.Optional(
      Type.Number({ minimum: 0, maximum: 360, description: "Course over ground, clockwise from true north" }),
    ),
    accuracyMeters: Type.Optional(Type.Number({ minimum: 0, maximum: 100_000, description: "68 % radius" })),
    odometerKm: Type.Optional(Type.Number({ minimum: 0, description: "Odometer, km" })),
    engineHours: Type.Optional(Type.Number({ minimum: 0, description: "Engine hours since new, h" })),
    ignition: Type.Optional(Type.Boolean({ description: "Engine on" })),
    temperatureCelsius: Type.Optional(
      Type.Number({ minimum: -100, maximum: 100, description: "Air in the cargo space, degrees Celsius" }),
    ),
    description: Type.Optional(Type.String({ maxLength: 300, description: "Place in words" })),
  },
  { description: "One position" },
);

/** Body of `TRACKING`: positions of one vehicle, of a load or not. */
export const Tracking = Type.Object(
  {
    vehicleId: Identifier("Vehicle or unit in the sender's system"),
    loadId: Type.Optional(Identifier("The load that it carries")),
    carrier: Type.Optional(Carrier),
    driverId: Type.Optional(Identifier("Driver in the sender's system")),
    eld: Type.Optional(
      Type.Object(
        {
          provider: Identifier("Maker of the device"),
          deviceId: Type.Optional(Identifier("Serial number of the device")),
          dutyStatus: Type.Optional(
            oneOf(["OFF_DUTY", "SLEEPER_BERTH", "DRIVING", "ON_DUTY", "PERSONAL_CONVEYANCE", "YARD_MOVE"], {
              description: "Duty status of the driver (49 CFR 395.8(b), special categories 395.28)",
            }),
          ),
          driveSecondsRemaining: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 86_400, description: "Driving time left today, seconds" }),
          ),
        },
        { description: "Electronic logging device" },
      ),
    ),
    positions: Type.Array(Position, {
      minItems: 1,
      maxItems: 1000,
      description: "One or more positions, in any order",
    }),
    estimatedArrival: Type.Optional(DateTime("Estimate for the next stop.")),
    remainingDistanceKm: Type.Optional(Type.Number({ minimum: 0, description: "To the next stop, km" })),
  },
  { title: "Tracking", description: "Positions of one vehicle" },
);
export type Tracking = Static<typeof Tracking>;
