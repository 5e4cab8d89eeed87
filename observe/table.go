package observe

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Table holds what an observer needs for each kind of event, such as a series of a metric,
// which would cost more to find by its labels. Finding a value takes no lock and allocates
// nothing. A Table never shrinks: keys must be of a bounded number. The zero value is
// empty; a Table must not be copied.
type Table[K comparable, V any] struct {
	mu  sync.Mutex // for changes
	all atomic.Pointer[map[K]*V]
}

// Of returns the value of key. If there is none, it stores what create returns.
func (t *Table[K, V]) Of(key K, create func(K) *V) *V {
	if v := t.All()[key]; v != nil {
		return v
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.All()[key]; v != nil {
		return v
	}
	all := maps.Clone(t.All())
	if all == nil {
		all = map[K]*V{}
	}
	v := create(key)
	all[key] = v
	t.all.Store(&all)
	return v
}

// All returns all values by key. The map does not change afterwards and must not be
// changed.
func (t *Table[K, V]) All() map[K]*V {
	if all := t.all.Load(); all != nil {
		return *all
	}
	return nil
}
