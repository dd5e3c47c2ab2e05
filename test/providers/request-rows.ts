import type { Grant } from "../../src/domain/providers/token-request.ts";

/** How sure a row is (connectors.md): D the provider's own documents, C client code, U nobody showed it. */
type Mark = "verified" | "secondary" | "unverified";

/** One request as the documents have it, written out. */
export interface RequestRow {
  code: string;
  /** `verify`, a step of a log-in, or a grant at the token endpoint. */
  what: "verify" | { step: number } | Grant;
  /** Place in the manifest whose fact carries the mark. */
  place: string;
  mark: Mark;
  method: string;
  url: string;
  /** Without those that every HTTP request has. */
  headers: Record<string, string>;
  body?: string;
}

const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";
const BASIC = `Basic ${Buffer.from("client-id:client-secret").toString("base64")}`;
const accepted = { Accept: JSON_TYPE };
const bearer = { ...accepted, Authorization: "Bearer access-token" };
const CODE: Grant = {
  type: "authorization_code",
  code: "the+code",
  redirectUri: "https://hub.example.com/oauth/callback",
  codeVerifier: "verifier",
};
const REFRESH: Grant = { type: "refresh_token", refreshToken: "refresh-token" };
const CODE_BODY =
  "grant_type=authorization_code&code=the%2Bcode&redirect_uri=https%3A%2F%2Fhub.example.com%2Foauth%2Fcallback&code_verifier=verifier";
const REFRESH_BODY = "grant_type=refresh_token&refresh_token=refresh-token";
const IN_BODY = "&client_id=client-id&client_secret=client-secret";

/** Code exchange and refresh of a provider that only differ in their place and in how the app proves itself. */
function grants(
  code: string,
  url: string,
  clientAuth: "basic" | "body",
  mark: Mark,
  more: Record<string, string> = {},
): RequestRow[] {
  const headers = {
    ...accepted,
    ...more,
    "Content-Type": FORM_TYPE,
    ...(clientAuth === "basic" ? { Authorization: BASIC } : {}),
  };
  const tail = clientAuth === "body" ? IN_BODY : "";
  return [
    { code, what: CODE, place: "/auth/token", mark, method: "POST", url, headers, body: CODE_BODY + tail },
    {
      code,
      what: REFRESH,
      place: "/auth/token",
      mark,
      method: "POST",
      url,
      headers,
      body: REFRESH_BODY + tail,
    },
  ];
}

const LB_HEADERS = { "123LB-Api-Version": "1.3", "User-Agent": "acme-tms/1.0 (api@acme.example)" };

/** Verify and token requests of all twelve, row by row. */
export const REQUEST_ROWS: readonly RequestRow[] = [
  {
    code: "DAT",
    what: { step: 0 },
    place: "/auth/steps/0",
    mark: "verified",
    method: "POST",
    url: "https://identity.api.dat.com/access/v1/token/organization",
    headers: { ...accepted, "x-dat-partner-id": "partner-7", "Content-Type": JSON_TYPE },
    body: '{"username":"svc@acme.example","password":"dat-password"}',
  },
  {
    code: "DAT",
    what: { step: 1 },
    place: "/auth/steps/1",
    mark: "verified",
    method: "POST",
    url: "https://identity.api.dat.com/access/v1/token/user",
    headers: {
      ...accepted,
      Authorization: "Bearer org-token",
      "x-dat-partner-id": "partner-7",
      "Content-Type": JSON_TYPE,
    },
    body: '{"username":"jo@acme.example"}',
  },
  {
    code: "TRUCKSTOP",
    what: { type: "password" },
    place: "/auth/token",
    mark: "verified",
    method: "POST",
    url: "https://api.truckstop.com/auth/token?scope=truckstop",
    headers: { ...accepted, "Content-Type": FORM_TYPE, Authorization: BASIC },
    body: "grant_type=password&username=acme-user&password=ts-password",
  },
  {
    code: "TRUCKSTOP",
    what: REFRESH,
    place: "/auth/token",
    mark: "verified",
    method: "POST",
    url: "https://api.truckstop.com/auth/token?scope=truckstop",
    headers: { ...accepted, "Content-Type": FORM_TYPE, Authorization: BASIC },
    body: REFRESH_BODY,
  },
  {
    code: "TRUCKSTOP",
    what: "verify",
    place: "/verify",
    mark: "unverified",
    method: "POST",
    url: "https://api.truckstop.com/loadmanagement/v2/load/search",
    headers: { ...bearer, "Content-Type": JSON_TYPE },
    body: '{"pagination":{"pageSize":1,"pageNumber":1},"searchCriteria":[]}',
  },
  ...grants("123LOADBOARD", "https://api.123loadboard.com/token", "basic", "secondary", LB_HEADERS),
  {
    code: "123LOADBOARD",
    what: "verify",
    place: "/verify",
    mark: "unverified",
    method: "GET",
    url: "https://api.123loadboard.com/loads?limit=1",
    headers: { ...bearer, ...LB_HEADERS, "123LB-AID": "app-1" },
  },
  ...grants("QUICKBOOKS", "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer", "basic", "verified"),
  {
    code: "QUICKBOOKS",
    what: "verify",
    place: "/verify",
    mark: "verified",
    method: "GET",
    url: "https://quickbooks.api.intuit.com/v3/company/9130355377388383/companyinfo/9130355377388383?minorversion=75",
    headers: bearer,
  },
  ...grants("XERO", "https://identity.xero.com/connect/token", "basic", "verified"),
  {
    code: "XERO",
    what: "verify",
    place: "/verify",
    mark: "verified",
    method: "GET",
    url: "https://api.xero.com/api.xro/2.0/Organisation",
    headers: { ...bearer, "xero-tenant-id": "45e4708e-d862-4111-ab3a-dd8cd03913e1" },
  },
  {
    code: "SAGE",
    what: { type: "client_credentials" },
    place: "/auth/token",
    mark: "secondary",
    method: "POST",
    url: "https://api.intacct.com/ia/api/v1/oauth2/token",
    headers: { ...accepted, "Content-Type": FORM_TYPE },
    body: `grant_type=client_credentials&username=xml%40Acme-imp%7CE100${IN_BODY}`,
  },
  {
    code: "SAGE",
    what: "verify",
    place: "/verify",
    mark: "unverified",
    method: "POST",
    url: "https://api.intacct.com/ia/api/v1/services/core/query",
    headers: { ...bearer, "X-IA-API-Param-Entity": "E100", "Content-Type": JSON_TYPE },
    body: '{"object":"general-ledger/account","fields":["key","id"],"size":1}',
  },
  ...grants("KEEPTRUCKIN", "https://api.gomotive.com/oauth/token", "body", "verified"),
  {
    code: "KEEPTRUCKIN",
    what: "verify",
    place: "/verify",
    mark: "verified",
    method: "GET",
    url: "https://api.gomotive.com/v1/companies",
    headers: bearer,
  },
  {
    code: "SAMSARA",
    what: "verify",
    place: "/verify",
    mark: "verified",
    method: "GET",
    url: "https://api.samsara.com/me",
    headers: { ...accepted, Authorization: "Bearer samsara_api_test" },
  },
  {
    code: "OMNITRACS",
    what: "verify",
    place: "/verify",
    mark: "unverified",
    method: "GET",
    url: "https://api.omni.example.com/v1/vehicles/positions",
    headers: { ...accepted, "X-Api-Key": "omni-key" },
  },
  ...grants("HUBSPOT", "https://api.hubapi.com/oauth/v3/token", "body", "verified"),
  {
    code: "HUBSPOT",
    what: "verify",
    place: "/verify",
    mark: "verified",
    method: "GET",
    url: "https://api.hubapi.com/account-info/v3/details",
    headers: bearer,
  },
  ...grants("SALESFORCE", "https://login.salesforce.com/services/oauth2/token", "body", "verified"),
  {
    code: "SALESFORCE",
    what: "verify",
    place: "/verify",
    mark: "verified",
    method: "GET",
    url: "https://acme.my.salesforce.com/services/data/v66.0/limits",
    headers: bearer,
  },
  ...grants("ZOHO", "https://accounts.zoho.com/oauth/v2/token", "body", "verified"),
  {
    code: "ZOHO",
    what: "verify",
    place: "/verify",
    mark: "verified",
    method: "GET",
    url: "https://www.zohoapis.com/crm/v8/org",
    headers: { ...accepted, Authorization: "Zoho-oauthtoken access-token" },
  },
];
