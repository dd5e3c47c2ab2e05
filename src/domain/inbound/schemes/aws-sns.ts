import { utf8Text } from "./read-place.ts";
import type { CertifiedMessage, Scheme, SignatureCause } from "./scheme.ts";

type Message = Readonly<Record<string, unknown>>;

/** Fields that are signed, in this order, those that are there (AWS: "Creating the string to sign"). */
const NOTIFICATION = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const CONFIRMATION = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

const SIGNED: Readonly<Record<string, readonly string[]>> = {
  Notification: NOTIFICATION,
  SubscriptionConfirmation: CONFIRMATION,
  UnsubscribeConfirmation: CONFIRMATION,
};

const HASHES: Readonly<Record<string, "sha1" | "sha256">> = { "1": "sha1", "2": "sha256" };

/** Only hosts of the service itself: whoever could choose the certificate could sign. */
const HOST = "https:\\/\\/sns\\.[a-z]{2}(?:-[a-z]+)+-\\d\\.amazonaws\\.com(?:\\.cn)?";
const CERTIFICATE_URL = new RegExp(`^${HOST}\\/SimpleNotificationService-[A-Za-z0-9_-]{1,100}\\.pem$`);
const CONFIRMATION_URL = new RegExp(`^${HOST}\\/\\?Action=ConfirmSubscription&[!-~]{1,2000}$`);

export const awsSns: Scheme = {
  name: "aws-sns",
  title: "Amazon SNS",
  source: "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
  rule: {
    kind: "certificate",
    read: ({ rawBody }) => readMessage(parseMessage(rawBody)),
    // Every AWS customer's messages are signed by the same certificate; the topic says whose they are.
    secret: {
      keys: [
        {
          prefix: "arn:aws",
          form: "utf8",
          use: "compare",
          bytesMin: 20,
          pattern: {
            regex: /^arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$/,
            message: "must be the ARN of the topic, arn:aws:sns:<region>:<account>:<name>",
          },
        },
      ],
    },
  },
  eventId: { pointer: "/MessageId" },
  eventType: { pointer: "/Type" },
  confirmation: (rawBody) => {
    const message = parseMessage(rawBody);
    return message?.["Type"] === "SubscriptionConfirmation" ? String(message["SubscribeURL"]) : undefined;
  },
  // Whoever holds one of them can confirm or end the subscription.
  secretFields: [{ pointer: "/Token" }, { pointer: "/SubscribeURL" }, { pointer: "/UnsubscribeURL" }],
};

function readMessage(message: Message | undefined): CertifiedMessage | { cause: SignatureCause } {
  if (message === undefined) return { cause: "malformed" };
  const { Type, TopicArn, Signature, SignatureVersion, SigningCertURL, SubscribeURL } = message;
  const names = typeof Type === "string" && Object.hasOwn(SIGNED, Type) ? SIGNED[Type] : undefined;
  if (names === undefined || typeof TopicArn !== "string") return { cause: "malformed" };
  if (typeof Signature !== "string" || typeof SigningCertURL !== "string") return { cause: "header_missing" };
  const hash = typeof SignatureVersion === "string" ? HASHES[SignatureVersion] : undefined;
  if (hash === undefined) return { cause: "unknown_version" };
  if (!CERTIFICATE_URL.test(SigningCertURL)) return { cause: "malformed" };
  if (Type === "SubscriptionConfirmation" && !CONFIRMATION_URL.test(String(SubscribeURL))) {
    return { cause: "malformed" };
  }
  let text = "";
  for (const name of names) {
    const value = message[name];
    if (name === "Subject" && (value === undefined || value === null)) continue;
    if (typeof value !== "string") return { cause: "malformed" };
    text += `${name}\n${value}\n`;
  }
  return { sender: TopicArn, certificateUrl: SigningCertURL, hash, message: text, signature: Signature };
}

function parseMessage(rawBody: Uint8Array): Message | undefined {
  const text = utf8Text(rawBody);
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}
