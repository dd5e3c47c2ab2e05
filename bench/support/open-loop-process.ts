import { runOpenLoop, type OpenLoopPlan } from "./open-loop.ts";

/**
 * Entry of one generator process: reads its plan as JSON from the standard input, writes one line of JSON a second
 * (`{"progress":…}`) and at the end `{"counts":…}`.
 */
const plan = (await Bun.stdin.json()) as OpenLoopPlan;
const counts = await runOpenLoop(plan, (progress) => console.log(JSON.stringify({ progress })));
console.log(JSON.stringify({ counts }));
process.exit(0);
