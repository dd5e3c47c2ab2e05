import type { Server } from "bun";

/** Without a request for so long, the clients that send at all have had their last answer. */
const QUIET_MS = 300;

/** Under load new connections come as long as the port is open. */
const DRAIN_MAX_MS = 2000;

type Answer = (request: Request, server: Server<undefined>) => Response | Promise<Response>;

/**
 * Ends a server without an error for its clients: every answer from now on says `Connection: close`, so that clients
 * leave by themselves and connect anew, to whoever shares the port. Then the port is closed, what was read is answered,
 * and idle connections end. A client that finds its idle connection closed has to send again on a new one (RFC 9112
 * section 9.3.1).
 */
export async function drain(server: Server<undefined>, answer: Answer): Promise<void> {
  const startedAtMs = performance.now();
  let lastAtMs = startedAtMs;
  server.reload({
    async fetch(request: Request, self: Server<undefined>) {
      lastAtMs = performance.now();
      const response = await answer(request, self);
      response.headers.set("connection", "close");
      return response;
    },
  });
  const isOver = (nowMs: number): boolean =>
    nowMs - lastAtMs >= QUIET_MS || nowMs - startedAtMs >= DRAIN_MAX_MS;
  while (!isOver(performance.now())) await Bun.sleep(20);
  await server.stop();
}
