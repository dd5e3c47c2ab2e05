import { Type } from "@sinclair/typebox";

/** What a sender is answered, unless its provider's scheme wants another body. */
export const AcceptedWebhook = Type.Object(
  {
    id: Type.String({ format: "uuid", description: "Receipt id, also in `Hub-Receipt-Id`." }),
    status: Type.Union([Type.Literal("accepted"), Type.Literal("duplicate")]),
  },
  { description: "On the disk, or a repetition: then with the first receipt's id." },
);

/** The operation of inbound webhooks for the API's document: they never enter the framework, so no route tells of them. */
export const INGRESS = {
  path: "/webhooks/{tenant}/{path}",
  refusals: [400, 401, 403, 404, 405, 410, 413, 415, 429, 503],
  operation: {
    operationId: "postWebhooksTenantPath",
    tags: ["Inbound webhooks"],
    summary: "Receive a webhook",
    description:
      "For partners. Any content type; signed as the endpoint's scheme says. 429 and 503 carry Retry-After: send it again.",
    parameters: [
      { name: "tenant", in: "path", required: true, description: "Slug or id.", schema: { type: "string" } },
      {
        name: "path",
        in: "path",
        required: true,
        description: "`endpointPath`.",
        schema: { type: "string" },
      },
    ],
    security: [],
  },
} as const;
