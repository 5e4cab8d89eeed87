package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

func (m *mutant) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	if m.append != nil {
		defer m.alone()()
		return m.append(m.reference, m.k(key), dst)
	}
	value, ok, err := m.Get(ctx, key)
	if !ok || err != nil {
		return dst, false, err
	}
	return append(dst, value...), true, nil
}

func (m *mutant) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	defer m.alone()()
	if m.oneTTL != nil {
		return m.oneTTL(m.reference, m.k(key))
	}
	return m.reference.GetWithTTL(ctx, m.k(key))
}

func (m *mutant) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	if m.allTTLs != nil {
		defer m.alone()()
		return m.allTTLs(m.reference, keys)
	}
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	for i, key := range keys {
		value, ttl, ok, err := m.GetWithTTL(ctx, key)
		if err != nil {
			return values, ttls, err
		}
		if ok {
			values[i], ttls[i] = value, ttl
		}
	}
	return values, ttls, nil
}

func (m *mutant) Watch(ctx context.Context, prefix string, grace time.Duration, notices driver.Notices) error {
	if m.watch != nil {
		return m.watch(ctx, m.reference, m.k(prefix), grace, notices)
	}
	return m.reference.Watch(ctx, m.k(prefix), grace, notices)
}

func (m *mutant) Stats(ctx context.Context) (driver.Stats, error) {
	if m.stats != nil {
		return m.stats(m.reference)
	}
	return m.reference.Stats(ctx)
}

// unnotified calls change without notices.
func (r *reference) unnotified(change func()) {
	r.mu.Lock()
	watchers := r.watchers
	r.watchers = nil
	r.mu.Unlock()
	change()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = watchers
}

// filtering is a Watch that changes what is reported.
func filtering(changed func(key string, report func(key string))) mutant {
	return mutant{watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
		report := notices.Changed
		notices.Changed = func(key string) { changed(key, report) }
		return r.Watch(ctx, prefix, grace, notices)
	}}
}

// causeOr returns why ctx was cancelled, err if it was not.
func causeOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// counting is Stats with a change.
func counting(change func(r *reference, s *driver.Stats)) mutant {
	return mutant{stats: func(r *reference) (driver.Stats, error) {
		s, err := r.Stats(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		change(r, &s)
		return s, err
	}}
}

// readMutants is mutants for the rules about GetAppend, GetWithTTL, Watch and Stats.
var readMutants = []defect{
	{"GetAppend overwrites dst", "APP-1", []string{"APP-2"}, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			value, ok, err := r.Get(ctx, key)
			if !ok || err != nil {
				return dst, false, err
			}
			return append(dst[:0], value...), true, nil
		}}},
	{"GetAppend returns the value alone", "APP-1", []string{"APP-2"}, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			value, ok, err := r.Get(ctx, key)
			if !ok || err != nil {
				return dst, false, err
			}
			return bytes.Clone(value), true, nil
		}}},
	{"GetAppend writes a terminator beyond the capacity", "APP-1", nil, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			dst, ok, err := r.GetAppend(ctx, key, dst)
			if ok && len(dst) > 4096 && cap(dst) == len(dst) {
				dst[0] = 0 // a byte of the caller, as far as the caller knows
			}
			return dst, ok, err
		}}},
	{"GetAppend of an empty value is a miss", "APP-1", nil, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			extended, ok, err := r.GetAppend(ctx, key, dst)
			return extended, ok && len(extended) > len(dst), err
		}}},
	{"GetAppend to nil returns the stored slice", "APP-2", nil, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			if value, ok, err := r.Get(ctx, key); ok && err == nil && cap(dst) == 0 {
				return value, true, nil
			}
			return r.GetAppend(ctx, key, dst)
		}}},
	{"GetAppend keeps dst", "APP-2", []string{"APP-1"}, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			extended, ok, err := r.GetAppend(ctx, key, dst)
			r.mu.Lock()
			defer r.mu.Unlock()
			if e, present := r.entries[key]; ok && present {
				e.value = extended[len(dst):]
				r.entries[key] = e
			}
			return extended, ok, err
		}}},
	{"GetAppend uses one buffer for all callers", "APP-2", nil, mutant{build: func() mutant {
		shared := make([]byte, 0, 128<<10)
		return mutant{append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			if cap(dst) > 0 || len(dst) > 0 {
				return r.GetAppend(ctx, key, dst)
			}
			extended, ok, err := r.GetAppend(ctx, key, shared)
			if !ok {
				return dst, false, err
			}
			return extended, ok, err
		}}
	}}},
	{"GetAppend of a miss returns nil", "APP-3", nil, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			extended, ok, err := r.GetAppend(ctx, key, dst)
			if !ok {
				return nil, false, err
			}
			return extended, ok, err
		}}},
	{"GetAppend finds expired entries", "APP-3", nil, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			defer r.mu.Unlock()
			if err := r.enter(); err != nil {
				return dst, false, err
			}
			e, ok := r.entries[key]
			return append(dst, e.value...), ok, nil
		}}},
	{"GetAppend clears dst on an error", "APP-3", nil, mutant{
		append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
			extended, ok, err := r.GetAppend(ctx, key, dst)
			if err != nil {
				clear(dst)
			}
			return extended, ok, err
		}}},

	{"GetWithTTL returns the TTL of the write", "LIF-3", nil, mutant{build: func() mutant {
		var given sync.Map
		return mutant{
			set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				given.Store(key, ttl)
				return r.Set(ctx, key, value, ttl)
			},
			oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
				value, ttl, ok, err := r.GetWithTTL(ctx, key)
				if first, is := given.Load(key); is && ttl > 0 && ttl < time.Second {
					ttl = first.(time.Duration)
				}
				return value, ttl, ok, err
			}}
	}}},
	{"GetWithTTL rounds to 0", "LIF-3", []string{"LIF-1", "LIF-5"}, mutant{
		oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ttl, ok, err := r.GetWithTTL(ctx, key)
			return value, ttl.Truncate(10 * time.Millisecond), ok, err
		}}},
	{"GetWithTTL rounds up", "LIF-3", []string{"LIF-1"}, mutant{
		oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ttl, ok, err := r.GetWithTTL(ctx, key)
			if ttl > 0 {
				ttl = ttl.Truncate(time.Second) + time.Second
			}
			return value, ttl, ok, err
		}}},
	{"GetWithTTL of an entry without expiry is short", "LIF-1", []string{"LIF-2", "LIF-5"}, mutant{
		oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ttl, ok, err := r.GetWithTTL(ctx, key)
			if ok && ttl == 0 {
				ttl = 5 * time.Minute
			}
			return value, ttl, ok, err
		}}},
	{"GetWithTTL does not know the TTL of counters", "LIF-1", nil, mutant{
		oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ttl, ok, err := r.GetWithTTL(ctx, key)
			if string(value) == "42" {
				ttl = 0
			}
			return value, ttl, ok, err
		}}},
	{"GetWithTTL extends the TTL", "LIF-3", []string{"LIF-4"}, mutant{
		oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ttl, ok, err := r.GetWithTTL(ctx, key)
			if ok && ttl > 0 && ttl < time.Second {
				err = r.Set(ctx, key, value, time.Minute)
			}
			return value, ttl, ok, err
		}}},
	{"GetWithTTL reads the value and then the TTL", "LIF-2", nil, mutant{racy: true,
		oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ok, err := r.Get(ctx, key)
			if !ok || err != nil {
				return nil, 0, false, err
			}
			gap()
			ttl, _, err := r.TTL(ctx, key)
			return value, ttl, ok, err
		}}},
	{"GetManyWithTTL reads the values and then the TTLs", "LIF-2", nil, mutant{racy: true,
		allTTLs: func(r *reference, keys []string) ([][]byte, []time.Duration, error) {
			values, err := r.GetMany(ctx, keys)
			ttls := make([]time.Duration, len(keys))
			gap()
			for i, key := range keys {
				ttls[i], _, _ = r.TTL(ctx, key)
			}
			return values, ttls, err
		}}},
	{"GetWithTTL finds expired entries", "LIF-4", []string{"LIF-3"}, mutant{
		oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ttl, ok, err := r.GetWithTTL(ctx, key)
			r.mu.Lock()
			defer r.mu.Unlock()
			if e, present := r.entries[key]; present && !ok {
				return e.value, 1, true, err
			}
			return value, ttl, ok, err
		}}},
	{"GetManyWithTTL finds expired entries", "LIF-4", nil, mutant{
		allTTLs: func(r *reference, keys []string) ([][]byte, []time.Duration, error) {
			values, ttls, err := r.GetManyWithTTL(ctx, keys)
			r.mu.Lock()
			defer r.mu.Unlock()
			for i, key := range keys {
				if e, present := r.entries[key]; present {
					values[i] = e.value
				}
			}
			return values, ttls, err
		}}},
	{"GetManyWithTTL gives the TTLs another order", "LIF-5", nil, mutant{
		allTTLs: func(r *reference, keys []string) ([][]byte, []time.Duration, error) {
			values, ttls, err := r.GetManyWithTTL(ctx, keys)
			slices.Reverse(ttls)
			return values, ttls, err
		}}},
	{"GetManyWithTTL returns a repeated key once", "LIF-5", nil, mutant{
		allTTLs: func(r *reference, keys []string) ([][]byte, []time.Duration, error) {
			values, ttls, err := r.GetManyWithTTL(ctx, keys)
			for i := range keys {
				if slices.Contains(keys[:i], keys[i]) {
					values[i] = nil
				}
			}
			return values, ttls, err
		}}},
	{"GetManyWithTTL of an empty value is a miss", "LIF-5", nil, mutant{
		allTTLs: func(r *reference, keys []string) ([][]byte, []time.Duration, error) {
			values, ttls, err := r.GetManyWithTTL(ctx, keys)
			for i, value := range values {
				if len(value) == 0 {
					values[i] = nil
				}
			}
			return values, ttls, err
		}}},

	{"Set is not reported", "WAT-1", []string{"WAT-2", "WAT-3", "WAT-4", "WAT-6", "WAT-7", "WAT-9"}, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) (err error) {
			r.unnotified(func() { err = r.Set(ctx, key, value, ttl) })
			return err
		}}},
	{"Inc of a present key is not reported", "WAT-1", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (sum int64, err error) {
			change := func() { sum, err = r.Inc(ctx, key, delta, ttl) }
			if present, _ := r.Has(ctx, key); present {
				r.unnotified(change)
			} else {
				change()
			}
			return sum, err
		}}},
	{"Delete is not reported", "WAT-1", nil, mutant{
		del: func(r *reference, key string) (deleted bool, err error) {
			r.unnotified(func() { deleted, err = r.Delete(ctx, key) })
			return deleted, err
		}}},
	{"a batch reports its first key", "WAT-1", []string{"WAT-2", "WAT-9"}, mutant{
		setMany: func(r *reference, items []driver.Item, ttl time.Duration) (err error) {
			if len(items) == 0 {
				return r.SetMany(ctx, items, ttl)
			}
			err = r.SetMany(ctx, items[:1], ttl)
			r.unnotified(func() { err = errors.Join(err, r.SetMany(ctx, items[1:], ttl)) })
			return err
		}}},
	{"CompareAndSwap is not reported", "WAT-1", nil, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (swapped bool, err error) {
			r.unnotified(func() { swapped, err = r.CompareAndSwap(ctx, key, old, value, ttl) })
			return swapped, err
		}}},
	{"Fill is not reported", "WAT-1", nil, mutant{
		fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (filled bool, err error) {
			r.unnotified(func() { filled, err = r.Fill(ctx, key, token, value, ttl) })
			return filled, err
		}}},
	{"Watch returns at each change", "WAT-1", []string{"WAT-4", "WAT-6"}, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			ctx, cancel := context.WithCancelCause(ctx)
			notices.Changed = func(string) { cancel(errCleared) }
			err := r.Watch(ctx, prefix, grace, notices)
			return causeOr(ctx, err)
		}}},
	{"Watch is ready too early", "WAT-1", []string{"WAT-2", "WAT-3", "WAT-4", "WAT-5", "WAT-6", "WAT-7", "WAT-9"}, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			notices.Ready()
			notices.Ready = func() {}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(200 * time.Millisecond):
			}
			return r.Watch(ctx, prefix, grace, notices)
		}}},
	{"Clear is not reported", "WAT-2", nil, mutant{
		clear: func(r *reference) (err error) {
			r.unnotified(func() { err = r.Clear(ctx) })
			return err
		}}},
	{"ClearPrefix is not reported", "WAT-2", nil, mutant{
		prefix: func(r *reference, prefix string) (err error) {
			r.unnotified(func() { err = r.ClearPrefix(ctx, prefix) })
			return err
		}}},
	{"Watch reports all keys", "WAT-3", []string{"WAT-6"}, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			return r.Watch(ctx, "", grace, notices)
		}}},
	{"Watch ignores the case of the prefix", "WAT-3", nil, mutant{build: func() mutant {
		return mutant{watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			changed := notices.Changed
			notices.Changed = func(key string) {
				if len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix) {
					changed(key)
				}
			}
			return r.Watch(ctx, "", grace, notices)
		}}
	}}},
	{"Watch cuts the prefix from the keys", "WAT-3", []string{anyRule}, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			changed := notices.Changed
			notices.Changed = func(key string) { changed(strings.TrimPrefix(key, prefix)) }
			return r.Watch(ctx, prefix, grace, notices)
		}}},
	{"Watch returns nil at its end", "WAT-4", []string{"WAT-1", "WAT-2", "WAT-6"}, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			if err := r.Watch(ctx, prefix, grace, notices); ctx.Err() == nil {
				return err
			}
			return nil
		}}},
	{"Watch is ready with a context that is done", "WAT-4", nil, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			if ctx.Err() != nil && r.Ping(ctx) == nil {
				notices.Ready()
				return ctx.Err()
			}
			return r.Watch(ctx, prefix, grace, notices)
		}}},
	{"Close leaves Watch running", "WAT-5", nil, mutant{
		close: func(r *reference) (err error) {
			r.unnotified(func() { err = r.Close() })
			return err
		}}},
	{"Watch works after Close", "WAT-5", nil, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			if err := r.Ping(ctx); err != nil {
				notices.Ready()
				return err
			}
			return r.Watch(ctx, prefix, grace, notices)
		}}},
	{"there is one Watch at a time", "WAT-6", nil, mutant{build: func() mutant {
		var one sync.Mutex
		return mutant{watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			if !one.TryLock() {
				return errors.New("another Watch runs")
			}
			defer one.Unlock()
			return r.Watch(ctx, prefix, grace, notices)
		}}
	}}},
	{"the end of one Watch ends the others", "WAT-6", nil, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			err := r.Watch(ctx, prefix, grace, notices)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.loseAll(r, errors.New("another Watch has ended"))
			return err
		}}},
	{"Watch takes quiet for a loss", "WAT-7", nil, mutant{
		watch: func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			ctx, cancel := context.WithTimeoutCause(ctx, 2*grace, errors.New("nothing arrived"))
			defer cancel()
			err := r.Watch(ctx, prefix, grace, notices)
			return causeOr(ctx, err)
		}}},
	{"an overrun drops notices", "WAT-9", nil, mutant{build: func() mutant {
		n := 0
		m := filtering(func(key string, report func(key string)) {
			if n++; n%150 != 149 {
				report(key)
			}
		})
		watch := m.watch
		m.watch = func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error {
			r.mu.Lock()
			r.queue = 10_000
			r.mu.Unlock()
			return watch(ctx, r, prefix, grace, notices)
		}
		return m
	}}},

	{"Stats are not initialised", "STA-1", []string{anyRule}, counting(func(_ *reference, s *driver.Stats) { s.Evictions = -5 })},
	{"Stats know nothing", "STA-1", nil, counting(func(_ *reference, s *driver.Stats) { *s = driver.UnknownStats })},
	{"the counters of Stats are those of the process", "STA-1", nil, counting(func(_ *reference, s *driver.Stats) { s.Evictions += 100 })},
	{"Stats has a state of its own", "STA-1", []string{anyRule}, counting(func(_ *reference, s *driver.Stats) { s.State = "broken" })},
	{"Entries counts writes", "STA-2", []string{"STA-4"}, mutant{build: func() mutant {
		var written int64
		m := counting(func(_ *reference, s *driver.Stats) { s.Entries = written })
		m.set = func(r *reference, key string, value []byte, ttl time.Duration) error {
			written++
			return r.Set(ctx, key, value, ttl)
		}
		return m
	}}},
	{"Entries does not know counters", "STA-2", nil, counting(func(r *reference, s *driver.Stats) {
		for key := range r.entries {
			if strings.Contains(key, "Inc") {
				s.Entries--
			}
		}
	})},
	{"Bytes counts keys", "STA-3", nil, counting(func(r *reference, s *driver.Stats) { s.Bytes = int64(20 * len(r.entries)) })},
	{"Bytes never shrinks", "STA-3", nil, mutant{build: func() mutant {
		var most int64
		return counting(func(_ *reference, s *driver.Stats) {
			most = max(most, s.Bytes)
			s.Bytes = most
		})
	}}},
	{"an overwrite adds to Bytes", "STA-3", nil, mutant{build: func() mutant {
		var added int64
		m := counting(func(_ *reference, s *driver.Stats) { s.Bytes += added })
		m.set = func(r *reference, key string, value []byte, ttl time.Duration) error {
			if old, ok, _ := r.Get(ctx, key); ok {
				added += int64(len(old))
			}
			return r.Set(ctx, key, value, ttl)
		}
		return m
	}}},
	{"Expirations counts reads", "STA-4", nil, mutant{build: func() mutant {
		var expired int64
		m := counting(func(_ *reference, s *driver.Stats) { s.Expirations = expired })
		m.get = func(r *reference, key string) ([]byte, bool, error) {
			value, ok, err := r.Get(ctx, key)
			r.mu.Lock()
			defer r.mu.Unlock()
			if _, present := r.entries[key]; present && !ok {
				expired++
			}
			return value, ok, err
		}
		return m
	}}},
	{"Entries counts an expired entry and its successor", "STA-4", nil, mutant{build: func() mutant {
		var extra int64
		m := counting(func(_ *reference, s *driver.Stats) { s.Entries += extra })
		m.add = func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			r.mu.Lock()
			if _, present := r.entries[key]; present {
				if _, live := r.live(key); !live {
					extra++
				}
			}
			r.mu.Unlock()
			return r.Add(ctx, key, value, ttl)
		}
		return m
	}}},
	{"Clear resets the counters", "STA-6", nil, mutant{build: func() mutant {
		var n int64
		m := counting(func(_ *reference, s *driver.Stats) { s.Expirations = n; n++ })
		m.clear = func(r *reference) error { n = 0; return r.Clear(ctx) }
		m.prefix = func(r *reference, prefix string) error { n = 0; return r.ClearPrefix(ctx, prefix) }
		return m
	}}},
}

func TestReadMutants(t *testing.T) {
	skipUnderRace(t)
	for _, m := range readMutants {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			about := func(c conformance.Case) bool {
				return c.ID == m.rule || strings.ContainsAny(c.ID[:1], "ALWS") && slices.Contains([]string{"APP", "LIF", "WAT", "STA"}, c.ID[:3]) && !slices.Contains(withChance, c.ID)
			}
			check(t, conformance.VerdictsOn(t, m.mutant.harness(), m.rule, about), m.rule, m.also)
		})
	}
}
