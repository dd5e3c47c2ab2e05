import { describe, expect, test } from "bun:test";
import { createTerminal } from "../../src/start/terminal.ts";

describe("createTerminal()", () => {
  test("echo() says the same once in ten seconds, and twenty lines at most", () => {
    const lines: string[] = [];
    let nowMs = 1_000_000;
    const terminal = createTerminal(
      (line) => lines.push(line),
      () => nowMs,
    );
    for (let times = 0; times < 100; times++) terminal.echo("edge-1", "refused");
    terminal.echo("edge-2", "refused");
    expect(lines).toEqual(["  ! edge-1: refused", "  ! edge-2: refused"]);
    for (let number = 0; number < 100; number++) terminal.echo("edge-1", `fault ${number}`);
    expect(lines).toHaveLength(20);
    expect(lines.at(-1)).toContain("more of this in the log files");
    nowMs += 10_001;
    terminal.echo("edge-1", "refused");
    expect(lines.at(-1)).toBe("  ! edge-1: refused");
  });
});
