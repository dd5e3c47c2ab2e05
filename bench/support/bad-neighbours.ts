import { driveLoad } from "./drive-load.ts";
import { callHub, createEndpoint, type HubUnderTest, type Tenant } from "./hub-under-test.ts";
import type { LoadEndpoint } from "./load-endpoint.ts";
import { signerOf } from "./sign-webhook.ts";

/** One way in which a sender can be a burden to the others. */
export interface BadNeighbour {
  name: string;
  /** What it does, for the report. */
  about: string;
  /** Settings of its endpoints. */
  settings: Readonly<Record<string, unknown>>;
  /** Target services of its own that never answer, each with an endpoint; one endpoint without a target when left out. */
  hangingTargets?: number;
  /** Sends to its endpoints for so long. */
  send(hub: HubUnderTest, endpoints: readonly LoadEndpoint[], seconds: number): Promise<NeighbourCounts>;
}

/** What became of a neighbour's requests; one of which nothing was accepted has burdened nobody. */
export interface NeighbourCounts {
  sent: number;
  accepted: number;
}

/** Recursion in the tail position: no limit of depth ends it. */
const HANGING_EXPRESSION =
  '( $again := function($n) { $again($n + 1) }; type = "load.status" ? $again(0) : id )';

/** Ten million objects, some gigabytes. */
const MEMORY_EXPRESSION =
  '( type = "load.status" ? $count([1..9999999].{"number": $, "text": $string($) & "-0123456789abcdef"}) : id )';

const SLOW_RATE = 20;

/** As many as would take every place of the sender, were each given a quarter. */
const HANGING_TARGETS = 4;
const HANGING_RATE = 100;

const LARGE_BODY_BYTES = 20 * 1024 * 1024;

/** Neighbours in the order in which they are tried. */
export function badNeighbours(floodRatePerSecond: number): BadNeighbour[] {
  return [
    {
      name: "hanging-transformation",
      about: `transformation that never ends, ${SLOW_RATE}/s`,
      settings: { transformTemplate: { engine: "jsonata", expression: HANGING_EXPRESSION } },
      send: steady({ ratePerSecond: SLOW_RATE, connections: 4, bodyBytes: 1024 }),
    },
    {
      name: "memory-transformation",
      about: `transformation that asks for gigabytes, ${SLOW_RATE}/s`,
      settings: { transformTemplate: { engine: "jsonata", expression: MEMORY_EXPRESSION } },
      send: steady({ ratePerSecond: SLOW_RATE, connections: 4, bodyBytes: 1024 }),
    },
    {
      name: "hanging-targets",
      about: `${HANGING_TARGETS} target services that never answer, ${HANGING_RATE}/s`,
      settings: {},
      hangingTargets: HANGING_TARGETS,
      send: steady({ ratePerSecond: HANGING_RATE, connections: 8, bodyBytes: 1024 }),
    },
    {
      name: "poison",
      about: `bodies that cannot be read, ${SLOW_RATE}/s: 100,000 levels deep, NUL, lone surrogate, broken UTF-8 and gzip`,
      settings: {
        handlerType: "LOAD_STATUS",
        transformTemplate: { engine: "jsonata", expression: "$" },
      },
      send: sendPoison,
    },
    {
      name: "flood",
      about: `another tenant's ${floodRatePerSecond} requests/s`,
      settings: {},
      send: steady({ ratePerSecond: floodRatePerSecond, connections: 64, bodyBytes: 1024 }),
    },
    {
      name: "large-bodies",
      about: "two bodies of 20 MiB a second",
      settings: { maxBodyBytes: 25 * 1024 * 1024 },
      send: steady({ ratePerSecond: 2, connections: 2, bodyBytes: LARGE_BODY_BYTES }),
    },
  ];
}

/**
 * The endpoints through which a neighbour sends; their paths begin with its name.
 *
 * @param hangingUrl address of a target that never answers
 */
export async function createNeighbourEndpoints(
  hub: HubUnderTest,
  tenant: Tenant,
  neighbour: BadNeighbour,
  hangingUrl: string,
): Promise<LoadEndpoint[]> {
  const { name, settings, hangingTargets = 0 } = neighbour;
  if (hangingTargets === 0) return [await createEndpoint(hub, tenant, name, settings)];
  const endpoints: LoadEndpoint[] = [];
  for (let index = 0; index < hangingTargets; index++) {
    const targetService = `${name}-${index}`;
    await callHub(hub, tenant, {
      method: "PUT",
      path: `/api/v1/services/${targetService}`,
      body: { kind: "HTTP", url: hangingUrl },
    });
    endpoints.push(await createEndpoint(hub, tenant, targetService, { ...settings, targetService }));
  }
  return endpoints;
}

function steady(load: {
  ratePerSecond: number;
  connections: number;
  bodyBytes: number;
}): BadNeighbour["send"] {
  return async (hub, endpoints, seconds) => {
    const report = await driveLoad({
      ...load,
      baseUrl: hub.baseUrl,
      endpoints,
      seconds,
      processes: 1,
      timeoutMs: 10_000,
    });
    return { sent: report.sent, accepted: report.answered2xx };
  };
}

interface PoisonBody {
  bytes: Uint8Array;
  encoding?: string;
}

/** Bodies that break a reader which trusts its input. */
function poisonBodies(): PoisonBody[] {
  const text = (body: string): PoisonBody => ({ bytes: Buffer.from(body) });
  return [
    text("[".repeat(100_000) + "]".repeat(100_000)),
    text('{"id":"a\\u0000b","loadId":"\\u0000"}'),
    text('{"id":"\\ud800","status":"\\udfff"}'),
    { bytes: Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0xc0, 0x80, 0x22, 0x7d) },
    { bytes: Bun.gzipSync(Buffer.from('{"id":"cut off"}')).subarray(0, 12), encoding: "gzip" },
    text('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
    text("{"),
  ];
}

async function sendPoison(
  hub: HubUnderTest,
  endpoints: readonly LoadEndpoint[],
  seconds: number,
): Promise<NeighbourCounts> {
  const endpoint = endpoints[0]!;
  const bodies = poisonBodies();
  const sign = signerOf(endpoint);
  const runId = crypto.randomUUID().slice(0, 8);
  const requests = SLOW_RATE * seconds;
  let accepted = 0;
  for (let sequence = 0; sequence < requests; sequence++) {
    const { bytes, encoding } = bodies[sequence % bodies.length]!;
    const headers = new Headers({ "content-type": "application/json" });
    if (encoding !== undefined) headers.set("content-encoding", encoding);
    for (const line of sign(`${runId}-${sequence}`, bytes, Date.now()).trimEnd().split("\r\n")) {
      const colon = line.indexOf(": ");
      headers.set(line.slice(0, colon), line.slice(colon + 2));
    }
    const response = await fetch(hub.baseUrl + endpoint.path, {
      method: "POST",
      headers,
      body: bytes as BodyInit,
      signal: AbortSignal.timeout(10_000),
    });
    await response.arrayBuffer();
    if (response.ok) accepted++;
    await Bun.sleep(1000 / SLOW_RATE);
  }
  return { sent: requests, accepted };
}
