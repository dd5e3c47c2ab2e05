import {
  type Attributes,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { Runtime } from "./runtime.ts";

/**
 * Share of traces that is recorded. Decided by the trace id alone, so that edge and workers decide alike without
 * trusting the sampled flag of a sender.
 */
const SAMPLED_SHARE = 0.01;

const TRACER = "integration-hub";

/** W3C Trace Context, version 00. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface SpanOptions {
  /** `traceparent` of the caller or of the stream entry; a new trace begins where it is missing or malformed. */
  traceparent?: string | undefined;
  kind?: "server" | "client" | "consumer" | "producer" | "internal";
  /** No bodies, headers, queries or secrets: spans leave the machine. */
  attributes?: Attributes;
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
  producer: SpanKind.PRODUCER,
  internal: SpanKind.INTERNAL,
} as const;

/**
 * Sends spans to OTEL_EXPORTER_OTLP_ENDPOINT (OTLP over HTTP), from now until shutdown. Without that variable nothing
 * is loaded, and every span is the API's no-op.
 *
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export async function startTelemetry(runtime: Runtime): Promise<void> {
  const { otelExporterOtlpEndpoint } = runtime.config;
  if (otelExporterOtlpEndpoint === undefined) return;
  const [
    { BasicTracerProvider, BatchSpanProcessor, TraceIdRatioBasedSampler },
    { OTLPTraceExporter },
    resources,
  ] = await Promise.all([
    import("@opentelemetry/sdk-trace-base"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
  ]);
  const exporter = new OTLPTraceExporter({
    url: `${otelExporterOtlpEndpoint.replace(/\/+$/, "")}/v1/traces`,
  });
  const provider = new BasicTracerProvider({
    resource: resources.resourceFromAttributes({
      "service.name": TRACER,
      "service.instance.id": runtime.name,
    }),
    sampler: new TraceIdRatioBasedSampler(SAMPLED_SHARE),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  trace.setGlobalTracerProvider(provider);
  runtime.shutdown.add("telemetry", async () => {
    await provider.shutdown();
    trace.disable();
  });
}

/** Begins a span; end it with `endSpan`. */
export function startSpan(name: string, options: SpanOptions = {}): Span {
  return trace.getTracer(TRACER).startSpan(
    name,
    {
      kind: KINDS[options.kind ?? "internal"],
      ...(options.attributes === undefined ? {} : { attributes: options.attributes }),
    },
    parentOf(options.traceparent),
  );
}

/** Ends a span; an error marks it as failed by its kind, because messages can hold what was sent. */
export function endSpan(span: Span, error?: unknown): void {
  if (error !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : "error" });
  }
  span.end();
}

/** What to hand on so that later work joins this trace; undefined while spans are off. */
export function traceparentOf(span: Span): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return trace.isSpanContextValid(span.spanContext())
    ? `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`
    : undefined;
}

function parentOf(traceparent: string | undefined): ReturnType<typeof context.active> {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  if (match === null) return ROOT_CONTEXT;
  const [, traceId, spanId, flags] = match;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: traceId!,
    spanId: spanId!,
    traceFlags: Number.parseInt(flags!, 16),
    isRemote: true,
  });
}
