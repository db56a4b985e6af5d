/** `stormlamp/otel`: spans and metrics of a cluster for OpenTelemetry. */
export {
  type OpenTelemetryHandle,
  type OpenTelemetryOptions,
  openTelemetry,
  type StatementSpans,
} from './open-telemetry.js';
