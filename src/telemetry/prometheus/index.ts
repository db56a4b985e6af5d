/** `stormlamp/prometheus`: the metrics of a cluster for Prometheus. */
export {
  type PrometheusMetrics,
  type PrometheusOptions,
  type PrometheusRegistry,
  prometheusMetrics,
} from './prometheus-metrics.js';
