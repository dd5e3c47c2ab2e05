/**
 * Runs this process's command line in a new process, hands signals on to it, and waits for its end. The kernel ends it
 * when we die.
 *
 * @returns its exit code
 */
export async function runAgain(): Promise<number> {
  const setpriv = Bun.which("setpriv", { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" });
  const child = Bun.spawn({
    cmd: [
      ...(setpriv ? [setpriv, "--pdeathsig=KILL", "--"] : []),
      process.execPath,
      ...process.argv.slice(1),
    ],
    stdio: ["inherit", "inherit", "inherit"],
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const)
    process.on(signal, () => child.kill(signal));
  await child.exited;
  return child.exitCode ?? 1;
}
