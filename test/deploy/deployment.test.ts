import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isPublicRoute } from "../../src/edge/public-routes.ts";
import { VARIABLES } from "../../src/platform/config-variables.ts";
import { PROJECT_DIR } from "../support/paths.ts";

/** Variables of the containers that are not the hub's own, by who reads them. */
const FOREIGN_VARIABLES = new Set([
  "NODE_ENV", // Bun and Elysia
  "POSTGRES_DB", // the image postgres
  "POSTGRES_PASSWORD",
  "POSTGRES_INITDB_ARGS",
  "REDISCLI_AUTH", // redis-cli
]);

/** Values that compose.yaml takes from its caller's environment and no container sees under that name. */
const COMPOSE_VARIABLES = new Set(["POSTGRES_PASSWORD", "REDIS_PASSWORD", "REDIS_MAXMEMORY"]);

/** Longest orderly stop of a process: worker drain 10 s, then the other steps; see Shutdown and workers/inbound.ts. */
const STOP_SECONDS = 40;

const read = (path: string): string => readFileSync(join(PROJECT_DIR, path), "utf8");
const isKnown = (name: string): boolean => Object.hasOwn(VARIABLES, name) || FOREIGN_VARIABLES.has(name);

/** Entry points named in a command; each must be a file. */
const scriptsIn = (command: readonly string[]): string[] => command.filter((word) => word.endsWith(".ts"));

const dockerfile = read("Dockerfile");

describe("Dockerfile", () => {
  test("copies files that exist, and the build may see them", () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, words]) =>
      words!.split(" "),
    );
    expect(sources.filter((path) => !existsSync(join(PROJECT_DIR, path)))).toEqual([]);
    const seen = new Set(read(".dockerignore").split("\n"));
    expect(sources.filter((path) => !seen.has(`!${path.replace("./", "")}`))).toEqual([]);
  });

  test("starts from the Bun that the project is tested with, in every stage", () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(new Set(bases)).toEqual(new Set([`oven/bun:${Bun.version}-slim`]));
  });

  test("runs as a user by number that is not root, and names the variables that exist", () => {
    expect(/^USER (\d+):\d+$/m.exec(dockerfile)?.[1]).toMatch(/^[1-9]/);
    const names = [...dockerfile.matchAll(/^ENV (.+)$/gm)].flatMap(([, pairs]) =>
      pairs!.split(" ").map((pair) => pair.split("=")[0]!),
    );
    expect(names.filter((name) => !isKnown(name))).toEqual([]);
  });

  test("ends the packages' stage with what bun.lock says", () => {
    expect(dockerfile).toContain("bun install --production --frozen-lockfile");
  });
});

interface ComposeService {
  command?: string[];
  environment?: Record<string, string>;
  stop_grace_period?: string;
  read_only?: boolean;
  networks: string[];
  depends_on?: Record<string, unknown>;
  healthcheck?: { disable?: boolean; test?: string[] };
}

describe("compose.yaml", () => {
  const text = read("compose.yaml");
  const compose = Bun.YAML.parse(text) as {
    services: Record<string, ComposeService>;
    networks: Record<string, unknown>;
    volumes: Record<string, unknown>;
  };

  test("names variables that exist", () => {
    const given = Object.values(compose.services).flatMap(({ environment }) =>
      Object.keys(environment ?? {}),
    );
    expect(given.filter((name) => !isKnown(name))).toEqual([]);
    const taken = [...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name!);
    expect(taken.filter((name) => !isKnown(name) && !COMPOSE_VARIABLES.has(name))).toEqual([]);
  });

  test("runs commands that exist, after what they need", () => {
    const names = new Set(Object.keys(compose.services));
    for (const { command = [], depends_on: needed = {} } of Object.values(compose.services)) {
      for (const path of scriptsIn(command)) expect(existsSync(join(PROJECT_DIR, path))).toBe(true);
      for (const name of Object.keys(needed)) expect(names).toContain(name);
    }
  });

  test("gives Redis the settings that the hub checks at boot", () => {
    const words = compose.services["redis"]!.command!;
    const setting = (name: string): string | undefined => words[words.indexOf(`--${name}`) + 1];
    expect([setting("appendonly"), setting("appendfsync"), setting("maxmemory-policy")]).toEqual([
      "yes",
      "always",
      "noeviction",
    ]);
    expect(setting("maxmemory")).toBeString();
  });

  test.each(["edge", "workers"])("lets %s stop in order, on a file system that it cannot change", (name) => {
    const service = compose.services[name]!;
    expect(Number.parseInt(service.stop_grace_period!, 10)).toBeGreaterThan(STOP_SECONDS);
    expect(service.read_only).toBe(true);
  });

  test("keeps the stores on a network of their own", () => {
    expect(compose.networks["data"]).toEqual({ internal: true });
    for (const name of ["postgres", "redis"]) expect(compose.services[name]!.networks).toEqual(["data"]);
  });
});

interface Probe {
  httpGet?: { path: string; port: string };
}

interface Container {
  name: string;
  image: string;
  command: string[];
  envFrom: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  env?: { name: string }[];
  ports?: { name: string; containerPort: number }[];
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  lifecycle?: { preStop: { exec: { command: string[] } } };
  securityContext: { readOnlyRootFilesystem: boolean; allowPrivilegeEscalation: boolean };
}

interface Manifest {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  spec: {
    selector?: { matchLabels?: Record<string, string> };
    scaleTargetRef?: { name: string };
    triggers?: { metadata: { query: string } }[];
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        terminationGracePeriodSeconds: number;
        securityContext: { runAsNonRoot: boolean };
        initContainers: Container[];
        containers: Container[];
      };
    };
  };
}

describe("deploy/kubernetes", () => {
  const folder = "deploy/kubernetes";
  const kustomization = Bun.YAML.parse(read(`${folder}/kustomization.yaml`)) as { resources: string[] };
  const documents = (file: string): Manifest[] => {
    const parsed = Bun.YAML.parse(read(`${folder}/${file}`)) as Manifest | Manifest[];
    return Array.isArray(parsed) ? parsed : [parsed];
  };
  const manifests = [...kustomization.resources, "secret.example.yaml"].flatMap(documents);
  const ofKind = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
  const deployments = ofKind("Deployment");
  const containersOf = ({ spec }: Manifest): Container[] => [
    ...spec.template.spec.initContainers,
    ...spec.template.spec.containers,
  ];

  test("names variables that exist", () => {
    const names = manifests.flatMap(({ data, stringData }) => Object.keys({ ...data, ...stringData }));
    expect(names.length).toBeGreaterThan(5);
    const own = deployments.flatMap(containersOf).flatMap(({ env }) => (env ?? []).map(({ name }) => name));
    expect([...names, ...own].filter((name) => !isKnown(name))).toEqual([]);
  });

  test("applies no secret", () => {
    expect(kustomization.resources.filter((file) => file.includes("secret"))).toEqual([]);
  });

  test("runs commands that exist, with an environment that exists, without rights", () => {
    const sources = new Set(
      [...ofKind("ConfigMap"), ...ofKind("Secret")].map(({ metadata }) => metadata.name),
    );
    for (const container of deployments.flatMap(containersOf)) {
      for (const path of scriptsIn(container.command)) expect(existsSync(join(PROJECT_DIR, path))).toBe(true);
      for (const { configMapRef, secretRef } of container.envFrom)
        expect(sources).toContain((configMapRef ?? secretRef)!.name);
      expect(container.securityContext).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
      });
    }
    for (const { spec } of deployments) expect(spec.template.spec.securityContext.runAsNonRoot).toBe(true);
  });

  test("probes public routes on the port that edge listens on", () => {
    const edge = deployments.find(({ metadata }) => metadata.name === "hub-edge")!;
    const [container] = edge.spec.template.spec.containers;
    expect(container!.ports).toEqual([{ name: "http", containerPort: 8080 }]);
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"] as const) {
      const { path, port } = container![probe]!.httpGet!;
      expect([isPublicRoute("GET", path), port]).toEqual([true, "http"]);
    }
  });

  test("gives every pod the time for its orderly stop, and its pause before", () => {
    for (const { spec } of deployments) {
      const { terminationGracePeriodSeconds, containers } = spec.template.spec;
      const pauseSeconds = Number(containers[0]!.lifecycle?.preStop.exec.command[1] ?? 0);
      expect(terminationGracePeriodSeconds - pauseSeconds).toBeGreaterThan(STOP_SECONDS);
    }
  });

  test("selects the pods that it makes", () => {
    for (const { spec } of deployments)
      expect(spec.template.metadata.labels).toEqual(spec.selector!.matchLabels!);
    const labels = deployments.map(({ spec }) => JSON.stringify(spec.template.metadata.labels));
    for (const { spec } of ofKind("PodDisruptionBudget"))
      expect(labels).toContain(JSON.stringify(spec.selector!.matchLabels));
  });

  test("scales a deployment that exists by metrics that the hub has", () => {
    const [scaled] = ofKind("ScaledObject");
    expect(deployments.map(({ metadata }) => metadata.name)).toContain(scaled!.spec.scaleTargetRef!.name);
    const gauges = read("src/domain/health/stream-gauges.ts");
    for (const { metadata } of scaled!.spec.triggers!) {
      const [metric] = /hub_[a-z_]+/.exec(metadata.query)!;
      expect(gauges).toContain(`"${metric}"`);
    }
  });
});
