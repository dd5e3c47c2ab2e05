import { type Static, Type } from "@sinclair/typebox";

const NullableTime = Type.Union([Type.String({ format: "date-time" }), Type.Null()]);

export const CircuitState = Type.Union(
  [Type.Literal("CLOSED"), Type.Literal("OPEN"), Type.Literal("HALF_OPEN")],
  {
    description:
      "CLOSED: calls go. OPEN: none goes before `nextCallAt`. HALF_OPEN: one probe at a time goes.",
  },
);

/** The circuit of one integration. */
export const Circuit = Type.Object({
  integrationId: Type.String({ format: "uuid" }),
  state: CircuitState,
  failureCount: Type.Integer({ description: "Consecutive failures." }),
  successCount: Type.Integer({ description: "Successful probes since it is half-open." }),
  failureThreshold: Type.Integer(),
  successThreshold: Type.Integer(),
  timeoutSeconds: Type.Integer(),
  lastFailureAt: NullableTime,
  lastSuccessAt: NullableTime,
  openedAt: NullableTime,
  halfOpenAt: NullableTime,
  nextCallAt: Type.Union([Type.String({ format: "date-time" }), Type.Null()], {
    description: "When the next call may go; null while every call may, or a probe may go at once.",
  }),
});
export type Circuit = Static<typeof Circuit>;

const threshold = (maximum: number, description: string) =>
  Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum }), Type.Null()], { description }));

/** What `PUT /api/v1/integrations/:id/circuit` takes. */
export const UpdateCircuitInput = Type.Object(
  {
    failureThreshold: threshold(1000, "Consecutive failures that open it; null: CIRCUIT_FAILURE_THRESHOLD."),
    successThreshold: threshold(1000, "Successful probes that close it; null: 3."),
    timeoutSeconds: threshold(86_400, "Time from opening to the first probe; null: CIRCUIT_TIMEOUT_SECONDS."),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type UpdateCircuitInput = Static<typeof UpdateCircuitInput>;
