# One image, two commands. Postgres and Redis are given by DATABASE_URL and REDIS_URL.
#   edge (default):  docker run … integration-hub
#   workers:         docker run … integration-hub bun workers/main.ts
# Migrations run before either, once or as often as one likes: docker run … integration-hub bun src/cli/main.ts migrate
FROM oven/bun:1.4.5-slim AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
COPY patches ./patches
# Without the optional packages: the binaries of the embedded Postgres, which `start` needs and this image does not.
RUN bun install --production --frozen-lockfile --omit=optional

FROM oven/bun:1.4.5-slim
LABEL org.opencontainers.image.title="integration-hub"
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json bunfig.toml ./
COPY migrations ./migrations
COPY src ./src
COPY workers ./workers
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
# The base image's user `bun` by number, so that Kubernetes can see that it is not root. Nothing below /app is writable.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
# For edge. A worker has no port: its check is switched off where it is run, because one that hangs loses its lease in
# Redis, its work goes to the others, and /health/ready of edge says so.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["bun", "-e", "const r = await fetch('http://127.0.0.1:' + process.env.PORT + '/health/live'); process.exit(r.ok ? 0 : 1)"]
CMD ["bun", "src/edge/main.ts"]
