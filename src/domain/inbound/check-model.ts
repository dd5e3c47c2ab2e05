import type { CachedEndpoint } from "./endpoint-cache.ts";
import { validateModel } from "./models/validate-model.ts";
import { RouteFailure } from "./route-failure.ts";

/** @throws RouteFailure when a document is not what the endpoint's handler takes */
export function checkModel({ handlerType }: CachedEndpoint, value: unknown): void {
  const check = validateModel(handlerType, value);
  if (check.ok) return;
  const message = check.errors.map(({ path, message: text }) => `${path}: ${text}`).join("; ");
  throw new RouteFailure("model_invalid", message, false);
}

/** The failure of a body that should be JSON for its handler. */
export function notJson({ handlerType }: CachedEndpoint): RouteFailure {
  const message = `The handler ${handlerType} needs JSON, and no transformation makes it`;
  return new RouteFailure("body_not_json", message, false);
}
