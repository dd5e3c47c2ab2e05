import { type Static, Type } from "@sinclair/typebox";
import { FieldName, HeaderName, Pointer, RequestTemplate, Template, TimeFormat } from "./request-schema.ts";

const closed = { additionalProperties: false } as const;
const Place = Type.Object(
  {
    in: Type.Union([Type.Literal("query"), Type.Literal("header"), Type.Literal("body")]),
    name: Type.String({
      minLength: 1,
      maxLength: 200,
      description: "Parameter, header, or pointer into the body.",
    }),
  },
  closed,
);
const PageSize = Type.Optional(
  Type.Object({ place: Place, value: Type.Integer({ minimum: 1, maximum: 100_000 }) }, closed),
);
const PagesMax = Type.Optional(
  Type.Integer({
    minimum: 1,
    description: "A list that has more pages ends with an error instead of never.",
  }),
);

/** How the pages of a list are asked for. */
export const Pagination = Type.Union([
  Type.Object({ strategy: Type.Literal("none") }, closed),
  Type.Object(
    {
      strategy: Type.Literal("cursor"),
      next: Pointer,
      hasMore: Type.Optional(Pointer),
      place: Place,
      pageSize: PageSize,
      pagesMax: PagesMax,
      /** The last cursor is kept and asked with again later (a feed). */
      isFeed: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  Type.Object(
    {
      strategy: Type.Literal("page"),
      place: Place,
      first: Type.Integer({ minimum: 0, maximum: 1 }),
      pageSize: PageSize,
      total: Type.Optional(Pointer),
      pagesMax: PagesMax,
      /** Beyond so many rows the list goes on by a cursor (Zoho: 2,000). */
      thenCursor: Type.Optional(
        Type.Object({ afterRows: Type.Integer({ minimum: 1 }), next: Pointer, place: Place }, closed),
      ),
    },
    closed,
  ),
  Type.Object(
    {
      strategy: Type.Literal("offset"),
      place: Place,
      first: Type.Integer({ minimum: 0, maximum: 1 }),
      /** Left out: the number of rows seen; else the field of the last row whose value is the next offset. */
      fromLastRow: Type.Optional(Pointer),
      next: Type.Optional(Pointer),
      total: Type.Optional(Pointer),
      pageSize: PageSize,
      pagesMax: PagesMax,
    },
    closed,
  ),
  Type.Object({ strategy: Type.Literal("next_url"), next: Pointer, pagesMax: PagesMax }, closed),
  Type.Object({ strategy: Type.Literal("link_header"), pagesMax: PagesMax }, closed),
  Type.Object(
    {
      /** SQL-like text: STARTPOSITION and MAXRESULTS are part of the query. */
      strategy: Type.Literal("query_text"),
      first: Type.Integer({ minimum: 0, maximum: 1 }),
      rowsMax: Type.Integer({ minimum: 1 }),
      pagesMax: PagesMax,
    },
    closed,
  ),
]);
export type Pagination = Static<typeof Pagination>;

/** How only what changed since the last run is asked for. */
export const Incremental = Type.Union([
  Type.Object({ strategy: Type.Literal("none") }, closed),
  Type.Object(
    {
      strategy: Type.Literal("filter"),
      place: Place,
      format: Type.Union([TimeFormat, Type.Literal("date")]),
      /** Field of a row that tells when it changed. */
      field: Pointer,
      lookbackSeconds: Type.Optional(Type.Integer({ minimum: 0 })),
      /** Row after row in this order; a run that breaks off goes on from its last row. */
      order: Type.Optional(Type.Union([Type.Literal("asc"), Type.Literal("none")])),
      windowSeconds: Type.Optional(Type.Integer({ minimum: 1 })),
    },
    closed,
  ),
  Type.Object({ strategy: Type.Literal("template"), value: Template, field: Pointer }, closed),
  Type.Object({ strategy: Type.Literal("cursor") }, closed),
]);
export type Incremental = Static<typeof Incremental>;

const Write = Type.Object(
  {
    request: RequestTemplate,
    id: Type.Optional(Pointer),
    batchMax: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Each record's own result in the answer of a batch. */
    results: Type.Optional(Pointer),
  },
  closed,
);

/** A kind of record of the provider and what can be done with it. */
export const ProviderObject = Type.Object(
  {
    label: Type.String({ minLength: 1, maxLength: 200 }),
    key: Type.Optional(Pointer),
    read: Type.Optional(
      Type.Object(
        {
          request: RequestTemplate,
          records: Pointer,
          pagination: Pagination,
          incremental: Incremental,
          get: Type.Optional(RequestTemplate),
        },
        closed,
      ),
    ),
    write: Type.Optional(
      Type.Object(
        {
          create: Type.Optional(Write),
          update: Type.Optional(Write),
          upsert: Type.Optional(Write),
          delete: Type.Optional(Write),
        },
        closed,
      ),
    ),
    /** How rows that are gone are told. */
    deletions: Type.Optional(
      Type.Union([
        Type.Object({ strategy: Type.Literal("none") }, closed),
        Type.Object({ strategy: Type.Literal("flag"), pointer: Pointer, equals: Type.Unknown() }, closed),
        Type.Object(
          { strategy: Type.Literal("endpoint"), request: RequestTemplate, records: Pointer },
          closed,
        ),
        Type.Object({ strategy: Type.Literal("difference") }, closed),
      ]),
    ),
  },
  closed,
);
export type ProviderObject = Static<typeof ProviderObject>;

/** What the provider sends by itself: the hub's signature scheme, and where a message says what it is. */
export const Webhooks = Type.Object(
  {
    scheme: Type.String({
      minLength: 1,
      maxLength: 100,
      description: "A `signatureScheme` of inbound endpoints.",
    }),
    routing: Type.Object(
      {
        items: Type.Optional(Pointer),
        type: Type.Optional(Type.Union([Pointer, Type.Object({ header: HeaderName }, closed)])),
        id: Type.Optional(Type.Array(Pointer, { minItems: 1, maxItems: 10 })),
        /** Field of the integration → where a message names the account it is about. */
        account: Type.Optional(Type.Object({ field: FieldName, pointer: Pointer }, closed)),
      },
      closed,
    ),
    events: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 500 })),
    subscribe: Type.Optional(RequestTemplate),
    unsubscribe: Type.Optional(RequestTemplate),
    renewSeconds: Type.Optional(Type.Integer({ minimum: 60 })),
  },
  closed,
);
export type Webhooks = Static<typeof Webhooks>;
