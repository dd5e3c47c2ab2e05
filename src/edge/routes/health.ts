import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { createReadiness, Readiness } from "../../domain/health/readiness.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { publicProblems } from "../problems.ts";

const tags = ["Health"];

/** `/health/live` and `/health/ready`: for supervisors and load balancers, without a key. */
export const healthRoutes = (runtime: Runtime) => {
  const readiness = createReadiness(runtime);
  return new Elysia({ name: "health-routes", prefix: "/health", normalize: false })
    .get("/live", () => ({ status: "live" as const }), {
      response: { 200: Type.Object({ status: Type.Literal("live") }), ...publicProblems() },
      detail: {
        tags,
        security: [],
        summary: "Is the process alive",
        description:
          "200 while the process answers; asks nobody else, so that a fault elsewhere restarts nothing.",
      },
    })
    .get(
      "/ready",
      async ({ set }) => {
        const answer = await readiness();
        set.status = answer.status === "unavailable" ? 503 : 200;
        return answer;
      },
      {
        response: { 200: Readiness, 503: Readiness, ...publicProblems() },
        detail: {
          tags,
          security: [],
          summary: "Should requests be sent here",
          description:
            "503 with `unavailable` when a fault is blocking. `degraded` answers 200: webhooks are accepted, but something needs attention.",
        },
      },
    );
};
