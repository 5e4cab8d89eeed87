package conformance

import "maps"

// Feature is an ability that not every backend has.
type Feature string

// The features. The suite detects each of them by an optional interface, by a
// field of [Harness], or by trying it.
const (
	// Storage means that a value can be read after it was set. Only a null cache lacks
	// it. Such a cache declares nothing else, and has rules of its own (NUL).
	Storage Feature = "Storage"
	// Counter is the interface [driver.Counter].
	Counter Feature = "Counter"
	// Lease is the interface [driver.Leaser].
	Lease Feature = "Lease"
	// Swap is the interface [driver.Swapper].
	Swap Feature = "Swap"
	// PrefixClear is the interface [driver.PrefixClearer].
	PrefixClear Feature = "PrefixClear"
	// FullClear means that Clear empties the store. It is also absent if the harness is
	// not Isolated and has no Stores.ClearAllowed.
	FullClear Feature = "FullClear"
	// TTL is the interface [driver.TTLer].
	TTL Feature = "TTL"
	// GetWithTTL is the interface [driver.LifeGetter]. Its absence needs no declaration.
	GetWithTTL Feature = "GetWithTTL"
	// Watch is the interface [driver.Watcher]. Its absence needs no declaration.
	Watch Feature = "Watch"
	// Stats is the interface [driver.Stater]; not of a wrapper that knows nothing but the
	// state of its circuit breaker. Its absence needs no declaration.
	Stats Feature = "Stats"
	// Scan is the interface [driver.Scanner]. Its absence needs no declaration.
	Scan Feature = "Scan"
	// Persistence means that the store outlives the handle: Stores.Reopen. It is also
	// absent if the harness has Bubble.
	Persistence Feature = "Persistence"
	// Threshold means that the number of entries can be limited: Stores.Bounded.
	Threshold Feature = "Threshold"
	// Network means that the store is a server: Harness.Faults. It is also absent if
	// the harness has Bubble.
	Network Feature = "Network"
)

// fieldOf names the field of Harness that stands for a feature.
var fieldOf = map[Feature]string{
	Persistence: "Stores.Reopen", Threshold: "Stores.Bounded", Network: "Faults", FullClear: "Stores.ClearAllowed",
}

var features = []Feature{Storage, Counter, Lease, Swap, PrefixClear, FullClear, TTL, GetWithTTL, Watch, Stats, Scan, Persistence, Threshold, Network}

// extensions are the features of interfaces that core got after the others. Their
// absence needs no declaration: a new version of core must not break the test of a
// backend that was complete before. A declaration gives the report a better reason, and
// is a failure if the feature works.
var extensions = map[Feature]string{GetWithTTL: "driver.LifeGetter", Watch: "driver.Watcher", Stats: "driver.Stater", Scan: "driver.Scanner"}

// implied returns the features whose absence needs no declaration, with the reason.
func (h Harness) implied() map[Feature]string {
	absent := map[Feature]string{}
	if h.Bubble {
		absent[Persistence] = "the store is in the process (Harness.Bubble)"
		absent[Network] = "the store is in the process (Harness.Bubble)"
	}
	if !h.Isolated {
		absent[FullClear] = "other programs may use the store (Harness.Isolated, Stores.ClearAllowed)"
	}
	if reason, declared := h.Unsupported[Storage]; declared {
		absent[Persistence], absent[Threshold], absent[Network] = reason, reason, reason
	}
	maps.DeleteFunc(absent, func(f Feature, _ string) bool { return h.provides(f) })
	for f := range absent {
		if reason := h.Unsupported[f]; reason != "" {
			absent[f] = reason // the author's reason is the better one
		}
	}
	return absent
}

// provides reports whether the field that stands for f is set.
func (h Harness) provides(f Feature) bool {
	switch f {
	case Persistence:
		return h.Stores.Reopen != nil
	case Threshold:
		return h.Stores.Bounded != nil
	case Network:
		return h.Faults != nil
	case FullClear:
		return h.Stores.ClearAllowed != nil
	}
	return false
}
