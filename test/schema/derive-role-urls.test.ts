import { describe, expect, test } from "bun:test";
import { deriveRoleUrls, passwordOf, scramVerifier } from "../../src/platform/postgres/roles.ts";

const OWNER = "postgres://hub_owner:p%40ss@db.example:5433/hub?sslmode=require";

describe("deriveRoleUrls()", () => {
  test("deriveRoleUrls() keeps server, database and options, and gives each role its own password", () => {
    const { appUrl, systemUrl } = deriveRoleUrls(OWNER);
    expect(appUrl).toMatch(/^postgres:\/\/hub_app:[0-9a-f]{64}@db\.example:5433\/hub\?sslmode=require$/);
    expect(systemUrl).toMatch(
      /^postgres:\/\/hub_system:[0-9a-f]{64}@db\.example:5433\/hub\?sslmode=require$/,
    );
    expect(passwordOf(appUrl)).not.toBe(passwordOf(systemUrl));
    expect(appUrl + systemUrl).not.toContain("p%40ss");
  });

  test("deriveRoleUrls() is the same in every process, and another for another owner's password", () => {
    expect(deriveRoleUrls(OWNER)).toEqual(deriveRoleUrls(OWNER, "k1:ignored"));
    expect(deriveRoleUrls(OWNER.replace("p%40ss", "other")).appUrl).not.toBe(deriveRoleUrls(OWNER).appUrl);
  });

  test("deriveRoleUrls() takes the first encryption key where the URL has no password", () => {
    const bare = "postgresql://owner@db/hub";
    const [first, second] = [
      deriveRoleUrls(bare, "k1:aaaa,k0:bbbb"),
      deriveRoleUrls(bare, "k2:cccc,k1:aaaa"),
    ];
    expect(first.appUrl).toMatch(/^postgresql:\/\/hub_app:[0-9a-f]{64}@db\/hub$/);
    expect(first).not.toEqual(second);
    expect(deriveRoleUrls(bare, "k1:aaaa")).toEqual(first);
  });

  test("deriveRoleUrls() leaves the password out where there is no secret at all", () => {
    expect(deriveRoleUrls("postgres://owner@db/hub")).toEqual({
      appUrl: "postgres://hub_app@db/hub",
      systemUrl: "postgres://hub_system@db/hub",
    });
    expect(deriveRoleUrls("postgres://db/hub").appUrl).toBe("postgres://hub_app@db/hub");
  });

  test("deriveRoleUrls() refuses what is no Postgres URL without repeating it", () => {
    expect(() => deriveRoleUrls("mysql://root:secret@db/hub")).toThrow(RangeError);
    expect(() => deriveRoleUrls("mysql://root:secret@db/hub")).not.toThrow(/secret/);
  });
});

describe("scramVerifier()", () => {
  test("scramVerifier() agrees with RFC 7677's example", () => {
    expect(scramVerifier("pencil", Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"))).toBe(
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" +
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    );
  });
});
