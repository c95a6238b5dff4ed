/** What observes a running engine: its metrics. Spans need nothing from here; provide a tracer around the engine. */
export * as EngineMetrics from "./metrics.ts"
