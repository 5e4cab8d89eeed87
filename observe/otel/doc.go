// Package cacheotel exports spans and metrics of caches through OpenTelemetry. It requires
// the API, not the SDK.
//
//	c := cache.New(backend,
//		cache.WithTracer(cacheotel.Tracer(nil)),     // nil is the global provider
//		cache.WithObserver(cacheotel.Observer(nil)))
//	stop, err := cacheotel.Register(nil, c)          // entries, bytes, evictions
//
// # Spans
//
// Each operation is a span, "cache get", of the kind internal. The backend and a load run
// in its context: spans of the driver and of the source are its children. The spans of a
// load belong to the trace of the caller that started it; other callers that wait for it
// have a span "cache wait".
//
// # Semantic conventions
//
// OpenTelemetry has no conventions for caches
// (https://github.com/open-telemetry/semantic-conventions/issues/1747). Those for database
// clients (https://opentelemetry.io/docs/specs/semconv/db/) describe the calls of a
// driver: db.client.operation.duration and spans of the kind client. An instrumented driver
// reports these itself, so that they would be counted twice if a cache used the names as
// well. The names of this package therefore begin with "cache.". It follows the
// conventions that apply to everything: error.type, units in UCUM, durations in seconds
// with the boundaries of db.client.operation.duration, extended to microseconds for stores
// in memory, and one record per batch.
//
// # Attributes
//
// No attribute has a key or a value. cache.backend is the name of a backend,
// cache.operation.name that of an operation, error.type a kind of [observe.Kinds].
package cacheotel
