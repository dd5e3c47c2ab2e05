import { Elysia } from "elysia";
import { getCircuit } from "../../domain/circuit-breaker/get-circuit.ts";
import { Circuit, UpdateCircuitInput } from "../../domain/circuit-breaker/schema.ts";
import { updateCircuit } from "../../domain/circuit-breaker/update-circuit.ts";
import { forceCircuit } from "../../domain/gateway/force-circuit.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams } from "./list-query.ts";

const tags = ["Integrations"];

/** `/api/v1/integrations/:id/circuit`: whether calls go out, and the operator's hand on it. */
export const circuitRoutes = (runtime: Runtime) =>
  new Elysia({ name: "circuit-routes", prefix: "/api/v1/integrations/:id/circuit", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, params }) => getCircuit(ctx, params), {
      params: idParams,
      response: { 200: Circuit, ...problems(404) },
      detail: {
        tags,
        summary: "Get the circuit of an integration",
        description: "Scope `integrations:read`. As it is at this moment, with the thresholds that count.",
      },
    })
    .put("/", ({ ctx, params, body }) => updateCircuit(ctx, { id: params.id, changes: body }), {
      params: idParams,
      body: UpdateCircuitInput,
      response: { 200: Circuit, ...problems(404) },
      detail: {
        tags,
        summary: "Set the thresholds of a circuit",
        description: "Scope `integrations:write`. Fields left out stay; null resets one.",
      },
    })
    .post("/reset", ({ ctx, params }) => forceCircuit(ctx, { id: params.id, action: "reset" }), {
      params: idParams,
      response: { 200: Circuit, ...problems(404) },
      detail: {
        tags,
        summary: "Close a circuit by hand",
        description: "Scope `integrations:write`. Calls go again at once; failures count from zero.",
      },
    })
    .post("/trip", ({ ctx, params }) => forceCircuit(ctx, { id: params.id, action: "trip" }), {
      params: idParams,
      response: { 200: Circuit, ...problems(404) },
      detail: {
        tags,
        summary: "Open a circuit by hand",
        description: "Scope `integrations:write`. No call goes for the circuit's timeout; then it is probed.",
      },
    });
