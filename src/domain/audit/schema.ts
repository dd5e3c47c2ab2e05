import { type Static, Type } from "@sinclair/typebox";

export const AuditRecord = Type.Object({
  id: Type.String({ format: "uuid" }),
  actorType: Type.Union([
    Type.Literal("api_key"),
    Type.Literal("user"),
    Type.Literal("job"),
    Type.Literal("system"),
  ]),
  actorId: Type.String({ description: "Id of the key or user; the job's name." }),
  verb: Type.String({ description: "Noun and verb, for example `webhook_endpoint.create`." }),
  objectType: Type.String(),
  objectId: Type.String(),
  changedFields: Type.Array(Type.String(), { description: "Names only: values are never recorded." }),
  requestId: Type.Union([Type.String(), Type.Null()]),
  sourceIp: Type.Union([Type.String(), Type.Null()]),
  createdAt: Type.String({ format: "date-time" }),
});
export type AuditRecord = Static<typeof AuditRecord>;
