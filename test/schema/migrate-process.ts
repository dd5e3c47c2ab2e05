import { migrate } from "../../src/platform/postgres/migrate.ts";

/** One of several processes that migrate at the same moment: prints how many migrations it ran itself. */
const { applied } = await migrate({ ownerUrl: process.argv[2]! });
console.log(applied.length);
