import { Type } from "@sinclair/typebox";
import { Elysia, type Context as ElysiaContext } from "elysia";
import { collectMetrics, publishMetrics } from "../../domain/health/metrics-exchange.ts";
import { registerStreamGauges } from "../../domain/health/stream-gauges.ts";
import { HubError } from "../../domain/errors.ts";
import { compileAddressList } from "../../platform/net/address.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { publicProblems } from "../problems.ts";

/** Addresses that a Prometheus of the same machine or private network has (RFC 1918, RFC 4193, RFC 6598, loopback). */
const PRIVATE_RANGES = [
  "127.0.0.0/8",
  "::1/128",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "fc00::/7",
];

/**
 * `/metrics` for Prometheus, of all processes whichever one is asked. Without a key, because scrapers bring none; only
 * for private addresses, judged by the socket, and never through a proxy, behind which every address is private.
 */
export const metricsRoutes = (runtime: Runtime) => {
  const refresh = registerStreamGauges(runtime);
  publishMetrics(runtime);
  const collected = collectMetrics(runtime);
  const isPrivate = compileAddressList(PRIVATE_RANGES);
  return new Elysia({ name: "metrics-routes", normalize: false }).get(
    "/metrics",
    async ({ request, server, set }) => {
      refuseStrangers(request, server, isPrivate);
      await refresh();
      set.headers["content-type"] = "text/plain; version=0.0.4; charset=utf-8";
      return await collected.read();
    },
    {
      response: { 200: Type.String({ contentMediaType: "text/plain" }), ...publicProblems(404) },
      detail: {
        tags: ["Health"],
        security: [],
        summary: "Metrics of all processes",
        description:
          "Prometheus text, without a key. Answered to private and loopback addresses only; requests that came through a proxy get 404.",
      },
    },
  );
};

function refuseStrangers(
  request: Request,
  server: ElysiaContext["server"],
  isPrivate: (address: string) => boolean,
): void {
  const address = server?.requestIP(request)?.address;
  const isForwarded = request.headers.has("x-forwarded-for") || request.headers.has("forwarded");
  // Without a socket it is a call from inside the process.
  if (isForwarded || (address !== undefined && !isPrivate(address))) throw new HubError("not_found");
}
