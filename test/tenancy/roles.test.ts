import { describe, expect, test } from "bun:test";
import { SCOPES } from "../../src/domain/context.ts";
import { ROLES, scopesOf } from "../../src/domain/tenancy/roles.ts";

describe("scopesOf()", () => {
  test("adds the role's scopes and those named, and leaves out what is none", () => {
    expect([...scopesOf("service", ["logs:read", "everything"])].sort()).toEqual(
      [...ROLES.service, "logs:read"].sort() as never,
    );
  });

  test("gives nothing for an unknown role, also not for a name of Object.prototype", () => {
    expect(scopesOf("constructor", []).size).toBe(0);
    expect(scopesOf("root", []).size).toBe(0);
  });

  test("grants platform:admin by no role", () => {
    for (const role of Object.keys(ROLES)) expect(scopesOf(role, []).has("platform:admin")).toBe(false);
  });

  test("lets a viewer change nothing", () => {
    expect([...scopesOf("viewer", [])].every((scope) => scope.endsWith(":read"))).toBe(true);
    expect(SCOPES.length).toBeGreaterThan(scopesOf("viewer", []).size);
  });
});
