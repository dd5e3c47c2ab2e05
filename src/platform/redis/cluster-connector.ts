import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { AbstractConnector } from "ioredis";

/** Where one server listens. */
export interface RedisNode {
  host: string;
  port: number;
}

interface ConnectorOptions {
  disconnectTimeout: number;
  tls?: ConnectionOptions;
}

/**
 * For a plain client of a Cluster, which any server serves as well as any other (pub/sub): each connection goes to the
 * next server, so that one that is down, or has left the Cluster, is not asked twice in a row.
 *
 * @param nodes the servers known by now, at least one
 * @returns the `Connector` of the client's options
 */
export function clusterConnector(
  nodes: () => readonly RedisNode[],
): new (options: unknown) => AbstractConnector {
  // Processes begin at different servers.
  let turn = Math.floor(Math.random() * 1000);
  return class ClusterConnector extends AbstractConnector {
    readonly #tls: ConnectionOptions | undefined;

    constructor(options: unknown) {
      const { disconnectTimeout, tls } = options as ConnectorOptions;
      super(disconnectTimeout);
      this.#tls = tls;
    }

    connect(): Promise<Socket> {
      const known = nodes();
      const { host, port } = known[turn++ % known.length]!;
      this.connecting = true;
      this.stream =
        this.#tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...this.#tls });
      this.stream.once("error", (error: Error) => {
        this.firstError = error;
      });
      return Promise.resolve(this.stream);
    }
  };
}
