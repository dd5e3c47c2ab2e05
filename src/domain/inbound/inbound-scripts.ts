import { bindScript, type RedisClient, type Script } from "../../platform/redis/script.ts";
import conservationLua from "./conservation.lua" with { type: "text" };
import enlistLua from "./enlist.lua" with { type: "text" };
import finishLua from "./finish.lua" with { type: "text" };
import moveDueLua from "./move-due.lua" with { type: "text" };
import releaseHeldLua from "./release-held.lua" with { type: "text" };

type BoundScript = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** The scripts that keep the inbound topic's books; each file's header says what it takes and guarantees. */
export interface InboundScripts {
  finish: BoundScript;
  moveDue: BoundScript;
  enlist: BoundScript;
  releaseHeld: BoundScript;
  conservation: BoundScript;
}

const SCRIPTS: Record<keyof InboundScripts, Script> = {
  finish: { name: "hubFinish", lua: finishLua },
  moveDue: { name: "hubMoveDue", lua: moveDueLua },
  enlist: { name: "hubEnlist", lua: enlistLua },
  releaseHeld: { name: "hubReleaseHeld", lua: releaseHeldLua },
  conservation: { name: "hubConservation", lua: conservationLua },
};

/** Binds the scripts to a client. */
export function inboundScripts(client: RedisClient): InboundScripts {
  const bound = Object.entries(SCRIPTS).map(([name, script]) => [name, bindScript(client, script)]);
  return Object.fromEntries(bound) as InboundScripts;
}

/** Name of a receipt in the retry and held sets. */
export function receiptMember(receipt: { id: string; tenantId: string; endpointId: string }): string {
  return `${receipt.id}/${receipt.tenantId}/${receipt.endpointId}`;
}
