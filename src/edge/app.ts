import { Elysia } from "elysia";
import type { AcceptDeps } from "../domain/inbound/accept-webhook.ts";
import type { Runtime } from "../platform/runtime.ts";
import { createDocument } from "./openapi.ts";
import { answerHeaders } from "./plugins/answer-headers.ts";
import { answerShape } from "./plugins/answer-shape.ts";
import { methodTable, type RegisteredRoute } from "./plugins/method-table.ts";
import { optionsPlugin } from "./plugins/options.ts";
import { problemPlugin } from "./plugins/problem.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { apiLogRoutes } from "./routes/api-logs.ts";
import { auditLogRoutes } from "./routes/audit-log.ts";
import { circuitRoutes } from "./routes/circuits.ts";
import { deadLetterRoutes } from "./routes/dead-letters.ts";
import { docsRoutes } from "./routes/docs.ts";
import { ediPartnerRoutes } from "./routes/edi-partners.ts";
import { eventTypeRoutes } from "./routes/event-types.ts";
import { eventRoutes } from "./routes/events.ts";
import { gatewayRoutes } from "./routes/gateway.ts";
import { healthRoutes } from "./routes/health.ts";
import { integrationRoutes } from "./routes/integrations.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { oauthPageRoutes, oauthRoutes } from "./routes/oauth.ts";
import { providerRoutes } from "./routes/providers.ts";
import { receiptRoutes } from "./routes/receipts.ts";
import { serviceRoutes } from "./routes/services.ts";
import { tenantRoutes } from "./routes/tenants.ts";
import { transformationRoutes } from "./routes/transformations.ts";
import { webhookDeliveryRoutes } from "./routes/webhook-deliveries.ts";
import { webhookEndpointRoutes } from "./routes/webhook-endpoints.ts";
import { webhookSubscriptionRoutes } from "./routes/webhook-subscriptions.ts";
import { webhookSchemeRoutes } from "./routes/webhook-schemes.ts";
import { webhookRejectionRoutes } from "./routes/webhook-rejections.ts";

/** The management API: everything over HTTP except inbound webhooks, which never enter the framework. */
export type App = ReturnType<typeof createApp>;

/**
 * Composes the app. Order matters: error handler, headers and answer shape only see the routes registered after them.
 *
 * @param ingress the accept path of this process, through which refused requests can be put
 */
export function createApp(runtime: Runtime, ingress?: AcceptDeps) {
  // Filled below, once every route is registered; the plugins read it while serving.
  const registered: RegisteredRoute[] = [];
  const allowedMethods = methodTable(registered);
  // Without it a host of up to three characters (`http://hub/`) hides the beginning of the path, and all is 404.
  const app = new Elysia({ name: "hub", normalize: false, handler: { standardHostname: false } })
    .use(problemPlugin(runtime.log, allowedMethods))
    .use(answerHeaders(runtime.config.publicUrl.startsWith("https:")))
    .use(optionsPlugin(allowedMethods))
    .use(answerShape(registered))
    .use(healthRoutes(runtime))
    .use(metricsRoutes(runtime))
    .use(tenantRoutes(runtime))
    .use(apiKeyRoutes(runtime))
    .use(auditLogRoutes(runtime))
    .use(circuitRoutes(runtime))
    .use(webhookEndpointRoutes(runtime))
    .use(webhookSchemeRoutes(runtime))
    .use(receiptRoutes(runtime))
    .use(webhookRejectionRoutes(runtime, ingress))
    .use(deadLetterRoutes(runtime))
    .use(serviceRoutes(runtime))
    .use(ediPartnerRoutes(runtime))
    .use(eventRoutes(runtime))
    .use(eventTypeRoutes(runtime))
    .use(webhookSubscriptionRoutes(runtime))
    .use(webhookDeliveryRoutes(runtime))
    .use(integrationRoutes(runtime))
    .use(oauthRoutes(runtime))
    .use(oauthPageRoutes(runtime))
    .use(gatewayRoutes(runtime))
    .use(providerRoutes(runtime))
    .use(transformationRoutes(runtime))
    .use(apiLogRoutes(runtime))
    .use(docsRoutes(() => createDocument(registered, runtime.config.publicUrl)));
  registered.push(...app.routes);
  return app;
}
