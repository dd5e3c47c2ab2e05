/** What a process of the hub prints for the supervisor that started it (the word of systemd's sd_notify). */
export const READY_LINE = "READY=1";

/** Tells the supervisor that this process does its work from now on. */
export function tellReady(): void {
  process.stdout.write(`${READY_LINE}\n`);
}
