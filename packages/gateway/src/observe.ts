/**
 * What the operator sees: one entry per request for the access log, and metrics in Prometheus' text form. Neither ever holds a binding, a
 * parameter's value, a header, a cookie or the secret. All of the gateway's metrics are named here.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

/** A finished request. */
export interface AccessEntry {
  readonly method: string
  /** Null when the request named no node of the graph. */
  readonly node: string | null
  readonly status: number
  /** The gateway's code when it refused; null for an answer of the shape server. */
  readonly code: string | null
  /** From the request's arrival to the last byte. */
  readonly millis: number
  /** From asking the shape server to its headers; null when it was not asked. */
  readonly upstreamMillis: number | null
  /** Body bytes sent to the client. */
  readonly bytes: number
  /** The client left, or its right ended, before the last byte. */
  readonly cut: boolean
}

const requests = Metric.counter("espalier_gateway_requests", {
  description: "Finished requests by node, status and the gateway's code",
  incremental: true,
})
const bytes = Metric.counter("espalier_gateway_response_bytes", {
  description: "Body bytes sent to clients by node",
  incremental: true,
})
const upstreamSeconds = Metric.histogram("espalier_gateway_upstream_seconds", {
  description: "Seconds from asking the shape server to its response headers; long polls wait",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25],
})
const open = Metric.gauge("espalier_gateway_open_requests", {
  description: "Requests open now, waiting long polls included",
})

/** Counts requests. One per gateway, with a registry of its own. */
export class Meter {
  readonly #context = Context.make(Metric.MetricRegistry, new Map())

  finished(entry: AccessEntry): void {
    const node = entry.node ?? "none"
    const labels = { node, status: String(entry.status), code: entry.code ?? "none" }
    Metric.withAttributes(requests, labels).updateUnsafe(1, this.#context)
    if (entry.bytes > 0) Metric.withAttributes(bytes, { node }).updateUnsafe(entry.bytes, this.#context)
    if (entry.upstreamMillis !== null) {
      Metric.withAttributes(upstreamSeconds, { node }).updateUnsafe(
        entry.upstreamMillis / 1000,
        this.#context,
      )
    }
  }

  /** All metrics as text. */
  text(openNow: number): string {
    open.updateUnsafe(openNow, this.#context)
    return PrometheusMetrics.formatUnsafe(this.#context)
  }
}

/** The media type of {@link Meter.text}. */
export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8"
