import type { Scheme } from "./scheme.ts";

const NOTIFICATIONS = "/Envelope/Body/notifications";

/** What Salesforce takes for received; anything else is sent again for 24 hours. */
const ACK =
  '<?xml version="1.0" encoding="UTF-8"?>' +
  '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>' +
  '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>' +
  "</soapenv:Body></soapenv:Envelope>";

export const salesforce: Scheme = {
  name: "salesforce",
  title: "Salesforce outbound message",
  source:
    "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_understanding.htm",
  rule: {
    kind: "token",
    place: { xmlPath: `${NOTIFICATIONS}/OrganizationId` },
    expected: longOrganizationId,
    isPublic: true,
    secret: {
      keys: [
        {
          prefix: "00D",
          form: "utf8",
          use: "compare",
          bytesMin: 15,
          bytesMax: 18,
          pattern: {
            regex: /^00D([A-Za-z0-9]{12}|[A-Za-z0-9]{15})$/,
            message: "must be the Organization ID of 15 or 18 characters",
          },
        },
      ],
    },
  },
  needsGeneratedPath: true,
  // Up to a hundred notifications in one message; a retry may bring them in another composition.
  eventId: { xmlPath: `${NOTIFICATIONS}/Notification/Id` },
  eventType: { xmlPath: `${NOTIFICATIONS}/Notification/sObject/@type` },
  accepted: { status: 200, contentType: "text/xml; charset=utf-8", body: ACK },
  // With "Send Session ID" it is a credential of the user who caused the message.
  secretFields: [{ xmlPath: `${NOTIFICATIONS}/SessionId` }],
};

const SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/**
 * An id of 15 characters, as the setup page shows it, in the form of 18 that messages hold: each of the last three says
 * which of five characters are capitals.
 */
function longOrganizationId(id: string): string {
  if (id.length !== 15) return id;
  let suffix = "";
  for (let from = 0; from < 15; from += 5) {
    let bits = 0;
    for (let at = 0; at < 5; at++) if (/[A-Z]/.test(id[from + at]!)) bits |= 1 << at;
    suffix += SUFFIX[bits];
  }
  return id + suffix;
}
