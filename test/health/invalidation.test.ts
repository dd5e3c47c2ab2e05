import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { publishInvalidation, subscribeInvalidation } from "../../src/platform/invalidation.ts";
import { untilReady } from "../../src/platform/redis/info.ts";
import { type Fixture, startFixture } from "../api-logs/fixture.ts";

// A Cluster takes seconds to form; a test cut short has its Redis killed by the runner.
setDefaultTimeout(60_000);

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
});

afterAll(() => fixture.stop());

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await Bun.sleep(5);
};

describe("subscribeInvalidation()", () => {
  test("subscribeInvalidation() hears its kinds, whatever stands in the id, and ignores others", async () => {
    const heard: string[] = [];
    await subscribeInvalidation(fixture.runtime, {
      handlers: { endpoint: (id) => void heard.push(id) },
      onReconnect: () => undefined,
    });
    await publishInvalidation(fixture.runtime, "toString", "x");
    await publishInvalidation(fixture.runtime, "integration", "x");
    await publishInvalidation(fixture.runtime, "endpoint", "a:b");
    await until(() => heard.length > 0);
    expect(heard).toEqual(["a:b"]);
  });

  test("subscribeInvalidation() reports a reconnect, and hears again after it", async () => {
    const heard: string[] = [];
    let gaps = 0;
    await subscribeInvalidation(fixture.runtime, {
      handlers: { endpoint: (id) => void heard.push(id) },
      onReconnect: () => void gaps++,
    });
    await fixture.redis.kill();
    await fixture.redis.restart();
    await until(() => gaps > 0);
    await untilReady(fixture.runtime.redis, 30_000);
    await publishInvalidation(fixture.runtime, "endpoint", "later");
    await until(() => heard.includes("later"));
  });
});
