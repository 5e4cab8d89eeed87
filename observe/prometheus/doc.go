// Package cacheprom exports metrics of caches to Prometheus.
//
//	c := cache.New(backend, cache.WithObserver(cacheprom.Observer(prometheus.DefaultRegisterer)))
//	prometheus.MustRegister(cacheprom.Collector(c))
//
// The observer counts what a program does with the cache: lookups, durations, loads,
// failures. The collector asks the store for its entries, bytes and evictions in each
// scrape.
//
// # Labels
//
// No label has a key or a value of the cache. The labels are backend, the name of the
// backend; op, the name of an operation; kind, a kind of [observe.Kinds]; result,
// direction and state with two or three values; and event, the name of an event of a
// backend. The number of series is bounded by the operations that the program uses: about
// 18 for each operation and backend, most of them buckets.
//
// Caches with the same backend share their series. To tell them apart, add a label:
//
//	reg := prometheus.WrapRegistererWith(prometheus.Labels{"cache": "sessions"}, prometheus.DefaultRegisterer)
//
// All caches of a registry must then have this label.
package cacheprom
