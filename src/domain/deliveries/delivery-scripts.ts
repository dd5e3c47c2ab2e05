import { bindScript, type RedisClient, type Script } from "../../platform/redis/script.ts";
import conservationLua from "./conservation.lua" with { type: "text" };
import enqueueLua from "./enqueue.lua" with { type: "text" };
import finishLua from "./finish.lua" with { type: "text" };
import reindexLua from "./reindex.lua" with { type: "text" };
import takeOverLua from "./take-over.lua" with { type: "text" };
import takeLua from "./take.lua" with { type: "text" };

type BoundScript = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** The scripts that keep the books of deliveries; each file's header says what it takes and guarantees. */
export interface DeliveryScripts {
  enqueue: BoundScript;
  take: BoundScript;
  finish: BoundScript;
  reindex: BoundScript;
  takeOver: BoundScript;
  conservation: BoundScript;
}

const SCRIPTS: Record<keyof DeliveryScripts, Script> = {
  enqueue: { name: "hubDeliveriesEnqueue", lua: enqueueLua },
  take: { name: "hubDeliveriesTake", lua: takeLua },
  finish: { name: "hubDeliveriesFinish", lua: finishLua },
  reindex: { name: "hubDeliveriesReindex", lua: reindexLua },
  takeOver: { name: "hubDeliveriesTakeOver", lua: takeOverLua },
  conservation: { name: "hubDeliveriesConservation", lua: conservationLua },
};

/** Binds the scripts to a client. */
export function deliveryScripts(client: RedisClient): DeliveryScripts {
  const bound = Object.entries(SCRIPTS).map(([name, script]) => [name, bindScript(client, script)]);
  return Object.fromEntries(bound) as unknown as DeliveryScripts;
}
