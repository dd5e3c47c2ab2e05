import { join, resolve } from "node:path";
import { freePort } from "../../src/platform/process/free-port.ts";

/** A server to compare with, running. */
export interface Peer {
  pid: number;
  baseUrl: string;
  stop(): Promise<void>;
}

const PEERS = resolve(import.meta.dir, "../peers");
const START_TIMEOUT_MS = 15_000;

/**
 * Starts a file of bench/peers on a free port and waits for its line "ready".
 *
 * @param program runtime that executes the file
 * @throws Error with its output when it does not start
 */
export async function startPeer(
  program: string,
  file: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const port = freePort();
  const child = Bun.spawn([program, join(PEERS, file)], {
    env: { ...process.env, NODE_ENV: "production", PORT: String(port), ...variables },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const killAtExit = (): void => child.kill("SIGKILL");
  process.once("exit", killAtExit);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const ended = await Promise.race([child.exited, Bun.sleep(5000).then(() => undefined)]);
    if (ended === undefined) child.kill("SIGKILL");
    await child.exited;
    process.off("exit", killAtExit);
  };
  const reader = child.stdout.getReader();
  const first = await Promise.race([reader.read(), Bun.sleep(START_TIMEOUT_MS).then(() => undefined)]);
  if (!new TextDecoder().decode(first?.value).includes("ready")) {
    await stop();
    throw new Error(`The peer ${file} did not start`);
  }
  return { pid: child.pid, baseUrl: `http://127.0.0.1:${port}`, stop };
}
