/** Routes that need no credential, each with its reason; every other one answers 401 to a stranger. A test holds this. */
export const PUBLIC_ROUTES: Readonly<Record<string, string>> = {
  "GET /health/live": "asked by supervisors, tells only that the process answers",
  "GET /health/ready": "asked by load balancers, tells what is wrong by name, never an address",
  "GET /metrics": "scraped by Prometheus, carries no tenant labels",
  "GET /oauth/start/:ticket": "a one-time ticket of 256 bits is the credential; for browsers",
  "GET /oauth/callback": "the provider's redirect; demands the state and the cookie of the log-in",
  "POST /oauth/account": "the choice of an account; demands the cookie of the log-in that offered it",
  "GET /docs": "the API's description is no secret",
  "GET /docs/style.css": "its style sheet",
  "GET /openapi.json": "the same for programs",
};

/** True when the route is on the public list. */
export function isPublicRoute(method: string, path: string): boolean {
  return Object.hasOwn(PUBLIC_ROUTES, `${method} ${path}`);
}
