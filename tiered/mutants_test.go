package tiered

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/tiered/internal/memory"
)

// mutants have one defect each, which the named rules must find.
var mutants = map[string]struct {
	mutant
	rules []string
}{
	"Set does not touch near": {
		mutant{backend: func(b *Backend) driver.Backend { return leavesNear{b} }},
		[]string{"own writes are read at once", "own writes are read at once, without notices"},
	},
	"Set removes the entry only after the write": {
		mutant{backend: func(b *Backend) driver.Backend { return removesAfter{b} }},
		[]string{"a fill during an own write is dropped", "own writes are near"},
	},
	"a fill ignores changes": {
		mutant{backend: func(b *Backend) driver.Backend { return fillsAlways{b} }},
		[]string{"a fill that raced a change is dropped", "a fill that raced an own write is dropped", "keys without the prefix are not near"},
	},
	"a write always leaves its value near": {
		mutant{backend: func(b *Backend) driver.Backend { return keepsAlways{b} }},
		[]string{"the value of an own write that raced a change is dropped", "two own writes leave what far has", "a write that failed is not near"},
	},
	"the life near counts from the reply": {
		mutant{backend: func(b *Backend) driver.Backend { return countsLate{b} }},
		[]string{"a slow read does not prolong staleness", "near never outlives far", "near never outlives far, with notices"},
	},
	"a miss is kept": {
		mutant{backend: func(b *Backend) driver.Backend { return keepsMisses{b} }},
		[]string{"misses and faults are not kept"},
	},
	"near is not emptied": {
		mutant{near: func(s *memory.Store) driver.Backend { return keeps{s} }},
		[]string{
			"a link that is cut empties near", "a link that stalls empties near within Grace", "an overrun is a loss",
			"a link that reconnects empties near again", "Clear empties near everywhere",
		},
	},
	"a near store that does not remove an entry is used": {
		mutant{near: func(s *memory.Store) driver.Backend { return silent{s} }},
		[]string{"a near store that does not remove is not used"},
	},
	"the remaining TTL of far is ignored": {
		mutant{far: func(far driver.Backend) driver.Backend { return immortal{driver.Resolve(far)} }},
		[]string{"near never outlives far", "near never outlives far, with notices"},
	},
	"a notice is answered by a write": {
		mutant{far: func(far driver.Backend) driver.Backend { return bouncing{far.(memory.Far)} }},
		[]string{"own writes do not bounce"},
	},
	"notices are ignored": {
		mutant{options: func(o *Options) { o.NoWatch, o.NearTTL = true, time.Hour }},
		[]string{"another's write is seen within the bound", "a fill that raced a change is dropped", "a link that stalls empties near within Grace"},
	},
	"NearTTL is ignored": {
		mutant{options: func(o *Options) { o.NearTTL = time.Hour }},
		[]string{"another's write is seen within the bound, without notices", "while a link is cut entries live for NearTTL"},
	},
	"Prefix is ignored": {
		mutant{options: func(o *Options) { o.Prefix = "" }},
		[]string{"notices of foreign prefixes change nothing", "keys without the prefix are not near"},
	},
}

type leavesNear struct{ *Backend }

func (m leavesNear) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return m.far.Set(ctx, key, value, ttl)
}

type removesAfter struct{ *Backend }

func (m removesAfter) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	defer m.near.changed(key)
	return m.far.Set(ctx, key, value, ttl)
}

type fillsAlways struct{ *Backend }

func (m fillsAlways) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if value, ok := m.near.get(ctx, key); ok {
		return value, true, nil
	}
	value, ttl, ok, err := m.far.GetWithTTL(ctx, key)
	if ok && err == nil {
		_ = m.near.store.Set(ctx, key, value, ttl)
	}
	return value, ok, err
}

type keepsAlways struct{ *Backend }

func (m keepsAlways) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	err := m.far.Set(ctx, key, value, ttl)
	_ = m.near.store.Set(ctx, key, value, ttl)
	return err
}

type countsLate struct{ *Backend }

func (m countsLate) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if value, ok := m.near.get(ctx, key); ok {
		return value, true, nil
	}
	r := m.near.beginRead(key)
	defer r.end()
	value, left, ok, err := m.readFar(ctx, key)
	if ok && err == nil {
		m.keep(&r, time.Now(), value, left)
	}
	return value, ok, err
}

type keepsMisses struct{ *Backend }

func (m keepsMisses) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := m.Backend.Get(ctx, key)
	if !ok && err == nil {
		_ = m.near.store.Set(ctx, key, nil, time.Second)
	}
	return value, ok, err
}

type keeps struct{ *memory.Store }

func (keeps) Clear(context.Context) error { return nil }

type silent struct{ *memory.Store }

func (s silent) Delete(ctx context.Context, key string) (bool, error) {
	deleted, _ := s.Store.Delete(ctx, key)
	return deleted, nil
}

type immortal struct{ *driver.Operations }

func (m immortal) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	value, _, ok, err := m.Operations.GetWithTTL(ctx, key)
	return value, 0, ok, err
}

type bouncing struct{ memory.Far }

func (m bouncing) Watch(ctx context.Context, prefix string, grace time.Duration, n driver.Notices) error {
	changed := n.Changed
	n.Changed = func(key string) {
		changed(key)
		_, _, _ = m.Far.Get(ctx, key)
	}
	return m.Far.Watch(ctx, prefix, grace, n)
}
