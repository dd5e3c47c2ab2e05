/** Below the ephemeral range (32768 and up), where the kernel hands ports to outgoing connections at any moment. */
const PORT_MIN = 10_000;
/** Redis Cluster adds 10,000 for its bus: below this the sum stays out of the ephemeral range too. */
const PORT_MAX = 22_767;

const ATTEMPTS_MAX = 200;

/** Ports that this process has handed out and nobody may have bound yet. */
const handedOut = new Set<number>();

/**
 * A TCP port from 10,000 to 22,767 that nobody listens on, chosen at random so that two starts rarely meet.
 *
 * @param host address to try it on
 * @throws Error when 200 random ports were all taken
 */
export function freePort(host = "127.0.0.1"): number {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN + 1));
    if (!handedOut.has(port) && portIsFree(host, port)) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error(`Cannot find a free port on ${host} from ${PORT_MIN} to ${PORT_MAX}`);
}

/** True when a listener could be opened there at this moment. */
export function portIsFree(host: string, port: number): boolean {
  return listenFault(host, port) === undefined;
}

/**
 * Tries to listen there.
 *
 * @returns undefined when it can be done at this moment, else the system's word for the reason, such as `EADDRINUSE`
 */
export function listenFault(host: string, port: number): string | undefined {
  try {
    Bun.listen({ hostname: host, port, exclusive: true, socket: { data: () => undefined } }).stop(true);
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code ?? message;
  }
}
