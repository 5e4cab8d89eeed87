// Package metrics has the tests of modules observe, observe/otel and observe/prometheus
// that need the SDK of OpenTelemetry or a Prometheus server, and the generator of
// docs/metrics.md. No module imports it, so that users do not download what it requires.
package metrics
