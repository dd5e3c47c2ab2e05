# One image, two commands. Postgres and Redis are given by DATABASE_URL and REDIS_URL.
#   edge (default):  docker run … integration-hub
#   workers:         docker run … integration-hub bun workers/main.ts
# Migrations run once before either: docker run … integration-hub bun src/cli/main.ts migrate
FROM oven/bun:1.4.5-slim AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
COPY patches ./patches
RUN bun install --production --frozen-lockfile

FROM oven/bun:1.4.5-slim
# prlimit and setpriv hold the transformation processes to their limits.
RUN apt-get update \
  && apt-get install -y --no-install-recommends util-linux \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json bunfig.toml ./
COPY migrations ./migrations
COPY src ./src
COPY workers ./workers
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
USER bun
EXPOSE 8080
# Edge answers over HTTP; a worker process has no port, so give it a check of its own or none.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["bun", "-e", "const r = await fetch('http://127.0.0.1:' + process.env.PORT + '/health/live'); process.exit(r.ok ? 0 : 1)"]
CMD ["bun", "src/edge/main.ts"]
