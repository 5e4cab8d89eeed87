// Package observe has observers of caches: metrics within the process, and logs of
// failures. It requires only the standard library and core. Packages for Prometheus and
// OpenTelemetry are in the modules observe/prometheus and observe/otel.
//
//	var stats observe.Stats
//	expvar.Publish("cache", &stats)
//	c := cache.New(backend,
//		cache.WithObserver(stats.Observe),
//		cache.WithObserver(observe.Log(slog.Default(), observe.LogOptions{})))
//
// # Labels
//
// No observer has a key or a value as a label. Labels are names from a fixed list: the
// operations of package cache and the events of backends, the types of backends, and the
// kinds of errors of [KindOf].
//
// # Concurrency
//
// All observers are safe for concurrent use, and may be given to several caches.
package observe
