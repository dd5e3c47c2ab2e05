import type { Runtime } from "../../platform/runtime.ts";
import type { ServiceSender } from "../services/send-to-service.ts";
import type { JsonataPool } from "../transformations/jsonata-pool.ts";

/** What routing needs; made once in a process. */
export interface RouteDeps {
  runtime: Runtime;
  transformations: JsonataPool;
  sender: ServiceSender;
}
