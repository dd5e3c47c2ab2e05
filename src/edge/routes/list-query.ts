import { t } from "elysia";
import { type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX } from "../../domain/pagination.ts";

/** Query of a list: `limit`, `cursor` and the list's own filters. `t.Integer`, because a plain one is not read from text. */
export function listQuery<Filters extends TProperties>(filters: Filters) {
  return t.Object(
    {
      limit: t.Optional(
        t.Integer({
          minimum: 1,
          maximum: PAGE_LIMIT_MAX,
          description: `Rows of a page; ${PAGE_LIMIT_DEFAULT} when left out.`,
        }),
      ),
      cursor: t.Optional(t.String({ maxLength: 200, description: "`nextCursor` of the page before." })),
      ...filters,
    },
    { additionalProperties: false },
  );
}

/** Answer of a list. */
export function listOf<Row extends TSchema>(row: Row) {
  return Type.Object({
    data: Type.Array(row),
    nextCursor: Type.Union([Type.String(), Type.Null()], { description: "null on the last page." }),
  });
}

/** `:id` of a path. What is no UUID answers 404, like one that names nothing. */
export const idParams = t.Object({ id: t.String({ format: "uuid" }) });
