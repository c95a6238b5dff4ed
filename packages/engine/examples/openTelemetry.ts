/**
 * Traces, metrics and logs of an engine to any OpenTelemetry collector over OTLP/HTTP, with Effect's own exporter and no other
 * dependency. Start a collector that shows what it gets, then run this file:
 *
 *   docker run --rm -p 4318:4318 otel/opentelemetry-collector:latest
 *   OTLP_URL=http://127.0.0.1:4318 node packages/engine/examples/openTelemetry.ts
 */
import { PGlite } from "@electric-sql/pglite"
import { createEngine } from "@espalier/engine/plain"
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { graph } from "./teams.graph.ts"
import { tinyElectric } from "./tinyElectric.ts"

// #region otlp
const telemetry = Otlp.layerJson({
  baseUrl: process.env["OTLP_URL"] ?? "http://127.0.0.1:4318",
  resource: { serviceName: "espalier-example" },
  tracerExportInterval: "1 second",
  metricsExportInterval: "1 second",
}).pipe(Layer.provide(FetchHttpClient.layer))

await using engine = await createEngine({
  graph,
  params: { userId: "ada", teamId: "red" },
  source: { url: "http://localhost/v1/shape", kind: "electric", fetch: tinyElectric },
  store: { pglite: await PGlite.create() },
  observe: telemetry,
})
// Spans espalier.reconcile, espalier.commit and espalier.request; metrics espalier_*.
const { progress } = await engine.until(({ state }) => state === "live")
// #endregion
console.log(
  `live: ${progress.instances} instances, ${progress.requests} requests; what is left is sent on closing`,
)
