import { createServer, type AddressInfo } from "node:net";

/** Listens, says on which port, and stops: its queue fills up and nothing is taken out of it. */
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(String((server.address() as AddressInfo).port), () =>
    process.kill(process.pid, "SIGSTOP"),
  );
});
