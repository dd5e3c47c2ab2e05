import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../src/platform/process/free-port.ts";
import type { Peer } from "./peer-process.ts";

/** nginx that passes calls on with a fixed credential; undefined where it is not installed. */
export async function startNginxPeer(target: string, credential: string): Promise<Peer | undefined> {
  const program = Bun.which("nginx") ?? Bun.which("/usr/sbin/nginx");
  if (program === null) return undefined;
  const home = await mkdtemp(join(tmpdir(), "hub-bench-nginx-"));
  const port = freePort();
  const { host } = new URL(target);
  await writeFile(
    join(home, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${home}/pid; error_log ${home}/error.log;
    events { worker_connections 1024; }
    http {
      access_log ${home}/access.log;
      client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy;
      upstream provider { server ${host}; keepalive 64; }
      server {
        listen 127.0.0.1:${port};
        location ~ ^/api/v1/integrations/[^/]+/proxy(/.*)$ {
          proxy_pass http://provider$1$is_args$args;
          proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "${credential}";
        }
      }
    }`,
  );
  const child = Bun.spawn([program, "-c", join(home, "nginx.conf"), "-p", home], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const baseUrl = `http://127.0.0.1:${port}`;
  const isUp = (): Promise<boolean> =>
    fetch(baseUrl).then(
      () => true,
      () => false,
    );
  for (let at = 0; at < 50 && !(await isUp()); at++) await Bun.sleep(100);
  return {
    pid: child.pid,
    baseUrl,
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}
