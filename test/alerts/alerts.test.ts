import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { SMTPServer } from "smtp-server";
import { Webhook } from "standardwebhooks";
import { mailAlert, senderAddress } from "../../src/domain/alerts/mail-alert.ts";
import { raiseAlert } from "../../src/domain/alerts/raise-alert.ts";
import { sendAlerts } from "../../src/domain/alerts/send-alerts.ts";
import { type Fixture, startFixture } from "../api-logs/fixture.ts";

const TIMEOUT_MS = 60_000;
const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const HELD = { isHeld: () => true };

interface Mail {
  from: string;
  to: string[];
  text: string;
}

const mails: Mail[] = [];
const posts: { headers: Headers; body: string }[] = [];
let status = 200;
let isMailRefused = false;
let fixture: Fixture;

const smtp = new SMTPServer({
  authOptional: false,
  allowInsecureAuth: true,
  hideSTARTTLS: true,
  onAuth(auth, _session, done) {
    if (auth.username === "hub@example.com" && auth.password === "a/b@c") done(null, { user: auth.username });
    else done(new Error("wrong password"));
  },
  onRcptTo(_address, _session, done) {
    done(isMailRefused ? new Error("mailbox is full") : undefined);
  },
  onData(stream, session, done) {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const { mailFrom, rcptTo } = session.envelope;
      mails.push({
        from: mailFrom === false ? "" : mailFrom.address,
        to: rcptTo.map(({ address }) => address),
        text: Buffer.concat(chunks).toString(),
      });
      done();
    });
  },
});
const receiver = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    posts.push({ headers: request.headers, body: await request.text() });
    return new Response(null, { status, headers: status === 302 ? { location: "http://127.0.0.1:9/" } : {} });
  },
});

beforeAll(async () => {
  await new Promise<void>((resolve) => void smtp.listen(0, "127.0.0.1", resolve));
  const { port } = smtp.server.address() as { port: number };
  fixture = await startFixture({
    ALERT_WEBHOOK_URL: receiver.url.href,
    ALERT_WEBHOOK_SECRET: SECRET,
    ALERT_EMAIL_TO: "ops@example.com, night@example.com",
    SMTP_URL: `smtp://hub%40example.com:a%2Fb%40c@127.0.0.1:${port}`,
  });
}, TIMEOUT_MS);
afterAll(async () => {
  await fixture.stop();
  await receiver.stop(true);
  await new Promise<void>((resolve) => smtp.close(resolve));
}, TIMEOUT_MS);
beforeEach(async () => {
  mails.length = posts.length = 0;
  status = 200;
  isMailRefused = false;
  await fixture.runtime.sqlSystem`delete from operator_alerts`;
});

const title = "Circuit opened: Müller's CRM\r\nBcc: thief@example.com";
async function raise(): Promise<void> {
  const { sqlSystem, config } = fixture.runtime;
  await sqlSystem.begin((tx) =>
    raiseAlert(tx, config, {
      tenantId: null,
      kind: "circuit.opened",
      title,
      data: { integrationId: "i1", failureCount: 5 },
    }),
  );
}

async function makeDue(): Promise<void> {
  await fixture.runtime.sqlSystem`
    update operator_alerts set next_attempt_at = now() where next_attempt_at is not null`;
}

const rows = async (): Promise<{ attempts: number; isDone: boolean; error: string | null }[]> => {
  const found = await fixture.runtime.sqlSystem<
    { attempts: number; isDone: boolean; error: string | null }[]
  >`
    select attempts, next_attempt_at is null as "isDone", last_error as error from operator_alerts`;
  return found.map((row) => ({ ...row }));
};

describe("sendAlerts()", () => {
  test("sendAlerts() posts an alert that a Standard Webhooks library verifies, and mails it, once", async () => {
    await raise();
    await sendAlerts(fixture.runtime, HELD);
    await sendAlerts(fixture.runtime, HELD);
    expect(posts.length).toBe(1);
    const [post] = posts;
    const verified = new Webhook(SECRET).verify(post!.body, Object.fromEntries(post!.headers)) as object;
    expect(verified).toMatchObject({
      type: "circuit.opened",
      title,
      data: { integrationId: "i1", failureCount: 5 },
    });
    expect(mails.length).toBe(1);
    expect(mails[0]).toMatchObject({
      from: "hub@example.com",
      to: ["ops@example.com", "night@example.com"],
    });
    expect(mails[0]!.text).toContain("integrationId: i1");
    // A line break in a name makes no header.
    expect(mails[0]!.text.split("\r\n\r\n")[0]).not.toMatch(/^Bcc:/m);
    expect(await rows()).toEqual([{ attempts: 1, isDone: true, error: null }]);
  });

  test.each([500, 302])(
    "sendAlerts() tries an address that answers %i again, without a second mail",
    async (given) => {
      status = given;
      await raise();
      await sendAlerts(fixture.runtime, HELD);
      expect(await rows()).toEqual([
        { attempts: 1, isDone: false, error: expect.stringContaining(String(given)) },
      ]);
      await sendAlerts(fixture.runtime, HELD);
      expect(posts.length).toBe(1);
      status = 204;
      await makeDue();
      await sendAlerts(fixture.runtime, HELD);
      expect(posts.map(({ headers }) => headers.get("webhook-id"))).toEqual(
        Array(2).fill(posts[0]!.headers.get("webhook-id")),
      );
      expect(mails.length).toBe(1);
      expect(await rows()).toEqual([{ attempts: 2, isDone: true, error: null }]);
    },
  );

  test("sendAlerts() tries a mail server that refuses again, without a second post", async () => {
    isMailRefused = true;
    await raise();
    await sendAlerts(fixture.runtime, HELD);
    expect((await rows())[0]).toMatchObject({
      isDone: false,
      error: expect.stringContaining("mailbox is full"),
    });
    isMailRefused = false;
    await makeDue();
    await sendAlerts(fixture.runtime, HELD);
    expect([posts.length, mails.length]).toEqual([1, 1]);
  });

  test("sendAlerts() gives an alert up after a day", async () => {
    status = 500;
    await raise();
    await fixture.runtime.sqlSystem`update operator_alerts set created_at = now() - interval '25 hours'`;
    await sendAlerts(fixture.runtime, HELD);
    expect((await rows())[0]).toMatchObject({ isDone: true });
  });

  test("raiseAlert() writes nothing where alerts go nowhere", async () => {
    await fixture.runtime.sqlSystem.begin((tx) =>
      raiseAlert(
        tx,
        { alertWebhookUrl: undefined, alertEmailTo: [] },
        { tenantId: null, kind: "x", title: "x", data: {} },
      ),
    );
    expect(await rows()).toEqual([]);
  });
});

describe("mailAlert()", () => {
  test("mailAlert() fails when the password is wrong", async () => {
    const smtpUrl = fixture.runtime.config.smtpUrl!.replace("a%2Fb%40c", "wrong");
    const alert = {
      id: "1",
      tenantId: null,
      kind: "x",
      title: "x",
      data: {},
      createdAt: new Date(),
      webhookSentAt: null,
      emailSentAt: null,
      attempts: 0,
    };
    const sending = mailAlert(alert, { smtpUrl, to: ["ops@example.com"], publicUrl: "http://hub.example" });
    expect(sending).rejects.toThrow("wrong password");
  });

  test.each([
    ["smtp://mail.example?from=alerts@example.com", "alerts@example.com"],
    ["smtp://hub%40example.com:x@mail.example", "hub@example.com"],
    ["smtp://user:x@mail.example", "integration-hub@hub.example"],
  ])("senderAddress() of %s is %s", (url, expected) => {
    expect(senderAddress(new URL(url), "https://hub.example")).toBe(expected);
  });
});
