package simple

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// model is the simplest cache without a limit, with which Backend must agree. Its
// entries and leases are in separate maps.
type model struct {
	entries map[string]modelEntry
	leases  map[string]modelLease
}

type modelLease struct {
	token string
	end   time.Time
}

func (m model) set(key string, e modelEntry) {
	m.entries[key] = e
	delete(m.leases, key)
}

func (m model) delete(key string) {
	delete(m.entries, key)
	delete(m.leases, key)
}

type modelEntry struct {
	value   []byte
	goValue any
	end     time.Time // zero = never
}

func (m model) live(key string) (modelEntry, bool) {
	e, ok := m.entries[key]
	return e, ok && (e.end.IsZero() || time.Now().Before(e.end))
}

func end(ttl time.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return time.Now().Add(ttl)
}

// FuzzModel derives operations from the input and compares every result with that of
// the model.
func FuzzModel(f *testing.F) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 4000)
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		f.Add(script, uint8(30+seed*20))
	}
	f.Fuzz(func(t *testing.T, script []byte, keys uint8) {
		synctest.Test(t, func(t *testing.T) { compareWithModel(t, script, int(keys)+1) })
	})
}

func compareWithModel(t *testing.T, script []byte, keys int) {
	b := newBackend(t, NoLimit)
	m := model{map[string]modelEntry{}, map[string]modelLease{}}
	tokens := map[string]bool{}
	last := map[string]string{} // the last token of each key, held or not
	ctx := t.Context()
	next := func() int {
		if len(script) == 0 {
			return 0
		}
		c := script[0]
		script = script[1:]
		return int(c)
	}
	ttls := []time.Duration{0, time.Millisecond, 7 * time.Millisecond, time.Second, time.Hour}
	for step := 0; len(script) > 0; step++ {
		op, key, ttl := next()%16, "key"+strconv.Itoa(next()%keys), ttls[next()%len(ttls)]
		value := []byte(strconv.Itoa(step))
		old, had := m.live(key)
		switch op {
		case 0, 1:
			must(t, b.Set(ctx, key, value, ttl))
			m.set(key, modelEntry{value: value, end: end(ttl)})
		case 2:
			must(t, b.SetValue(ctx, key, step, ttl))
			m.set(key, modelEntry{goValue: step, end: end(ttl)})
		case 3:
			added, err := b.Add(ctx, key, value, ttl)
			must(t, err)
			if added == had {
				t.Fatalf("step %d: Add(%s) = %v, was present: %v", step, key, added, had)
			}
			if added {
				m.set(key, modelEntry{value: value, end: end(ttl)})
			}
		case 4:
			deleted, err := b.Delete(ctx, key)
			must(t, err)
			if deleted != had {
				t.Fatalf("step %d: Delete(%s) = %v, was present: %v", step, key, deleted, had)
			}
			m.delete(key)
		case 5:
			sum, err := b.Inc(ctx, key, 3, ttl)
			switch {
			case had && old.value == nil:
				if !errors.Is(err, driver.ErrNotInteger) {
					t.Fatalf("step %d: Inc of a Go value: %v", step, err)
				}
			case err != nil:
				t.Fatalf("step %d: Inc(%s): %v", step, key, err)
			case had:
				before, _ := strconv.ParseInt(string(old.value), 10, 64)
				if sum != before+3 {
					t.Fatalf("step %d: Inc(%s) = %d, was %d", step, key, sum, before)
				}
				m.set(key, modelEntry{value: strconv.AppendInt(nil, sum, 10), end: old.end})
			default:
				if sum != 3 {
					t.Fatalf("step %d: Inc(%s) = %d of an absent key", step, key, sum)
				}
				m.set(key, modelEntry{value: []byte("3"), end: end(ttl)})
			}
		case 6:
			left, ok, err := b.TTL(ctx, key)
			must(t, err)
			var want time.Duration
			if had && !old.end.IsZero() {
				want = time.Until(old.end)
			}
			if ok != had || left != want {
				t.Fatalf("step %d: TTL(%s) = %v, %v, want %v, %v", step, key, left, ok, want, had)
			}
			value, left, ok, err := b.GetWithTTL(ctx, key)
			if had && old.value == nil {
				if !errors.Is(err, driver.ErrCorrupt) {
					t.Fatalf("step %d: GetWithTTL of a Go value: %v", step, err)
				}
				break
			}
			must(t, err)
			if ok != had || left != want || had && !bytes.Equal(value, old.value) {
				t.Fatalf("step %d: GetWithTTL(%s) = %q, %v, %v, want %q, %v, %v", step, key, value, left, ok, old.value, want, had)
			}
		case 7:
			time.Sleep(ttl)
		case 8:
			if next() > 200 {
				must(t, b.Clear(ctx))
				clear(m.entries)
				clear(m.leases)
			} else if next() > 200 {
				must(t, b.ClearPrefix(ctx, "key1"))
				for i := range keys {
					if k := "key" + strconv.Itoa(i); k[3] == '1' {
						m.delete(k)
					}
				}
			}
		case 9, 10:
			hold := max(ttl, 1)
			ok, token := leaseEither(t, b, key, hold, op == 9)
			if had && (old.value != nil) != (op == 9) {
				had = false // an entry of the other kind
				m.delete(key)
			}
			held := time.Now().Before(m.leases[key].end)
			if ok != had || (token != "") != (!had && !held) || tokens[token] {
				t.Fatalf("step %d: Lease(%s) = %v, %q, was present: %v, leased: %v", step, key, ok, token, had, held)
			}
			if token != "" {
				m.leases[key] = modelLease{token, time.Now().Add(hold)}
				last[key], tokens[token] = token, true
			}
		case 11, 12:
			token := last[key]
			held := m.leases[key].token == token && time.Now().Before(m.leases[key].end)
			e := modelEntry{value: value, end: end(ttl)}
			filled, err := b.Fill(ctx, key, token, value, ttl)
			if op == 12 && !filled {
				e = modelEntry{goValue: step, end: end(ttl)}
				filled, err = b.FillValue(ctx, key, token, step, ttl)
			}
			must(t, err)
			if filled != held {
				t.Fatalf("step %d: Fill(%s) = %v, lease held: %v", step, key, filled, held)
			}
			if filled {
				m.set(key, e)
			}
		case 13:
			must(t, b.Release(ctx, key, last[key]))
			if m.leases[key].token == last[key] {
				delete(m.leases, key)
			}
		case 14:
			expected := old.value
			if next() > 200 {
				expected = append([]byte("not "), expected...)
			}
			swapped, err := b.CompareAndSwap(ctx, key, expected, value, ttl)
			must(t, err)
			if want := had && old.value != nil && bytes.Equal(expected, old.value); swapped != want {
				t.Fatalf("step %d: CompareAndSwap(%s) = %v, want %v", step, key, swapped, want)
			}
			if swapped {
				m.set(key, modelEntry{value: value, end: end(ttl)})
			}
		}
		want, has := m.live(key)
		compareEntry(t, b, key, want, has)
	}
	for i := range keys {
		key := "key" + strconv.Itoa(i)
		want, has := m.live(key)
		compareEntry(t, b, key, want, has)
	}
	checkShards(t, b)
}

// leaseEither calls Lease or LeaseValue.
func leaseEither(t *testing.T, b *Backend, key string, hold time.Duration, bytes bool) (ok bool, token string) {
	t.Helper()
	var err error
	if bytes {
		_, ok, token, err = b.Lease(t.Context(), key, hold)
	} else {
		_, ok, token, err = b.LeaseValue(t.Context(), key, hold)
	}
	must(t, err)
	return ok, token
}

func compareEntry(t *testing.T, b *Backend, key string, want modelEntry, has bool) {
	t.Helper()
	if ok, err := b.Has(t.Context(), key); ok != has || err != nil {
		t.Fatalf("Has(%s) = %v, %v, want %v", key, ok, err, has)
	}
	value, ok, err := b.Get(t.Context(), key)
	kept, okKept, errKept := b.GetValue(t.Context(), key)
	switch {
	case !has:
		if ok || okKept || err != nil || errKept != nil {
			t.Fatalf("%s: Get = %q, %v, %v and GetValue = %v, %v, %v, want misses", key, value, ok, err, kept, okKept, errKept)
		}
	case want.value != nil:
		if !ok || err != nil || !bytes.Equal(value, want.value) || !errors.Is(errKept, driver.ErrCorrupt) {
			t.Fatalf("%s: Get = %q, %v, %v, want %q; GetValue: %v", key, value, ok, err, want.value, errKept)
		}
	default:
		if !okKept || errKept != nil || kept != want.goValue || !errors.Is(err, driver.ErrCorrupt) {
			t.Fatalf("%s: GetValue = %v, %v, %v, want %v; Get: %v", key, kept, okKept, errKept, want.goValue, err)
		}
	}
}

// checkShards verifies the invariants that hold between two operations.
func checkShards(t *testing.T, b *Backend) {
	t.Helper()
	defer b.lockAll()()
	total, spare, bytes := 0, int64(0), b.room.bytes.Load()
	for i := range b.shards {
		s := &b.shards[i]
		table := s.table.Load()
		reached, weight, load := 0, int64(0), [numQueues]int64{}
		for _, p := range s.queues.places {
			if p.queue == unused {
				continue
			}
			reached++
			n := table.slot(p.at).Load()
			if n == nil {
				t.Fatalf("place of an entry which is not in the table: %+v", p)
			}
			weight += n.weight()
			load[p.queue] += s.load(n)
			if found, _ := table.find(b.hasher.hash(n.key), n.key); found != n {
				t.Fatalf("%q is in the table and not found", n.key)
			}
		}
		if table.usage.nodes != reached || load != s.queues.load {
			t.Fatalf("%d entries in the table, %d places used; queues of %v, counted %v", table.usage.nodes, reached, load, s.queues.load)
		}
		if counted := table.usage.weight.Load(); counted != weight {
			t.Fatalf("the entries weigh %d, counted %d", weight, counted)
		}
		bytes += weight + s.spare
		for key := range s.leases.byKey {
			if n, _ := table.find(b.hasher.hash(key), key); n != nil {
				t.Fatalf("%q is in the table and leased", key)
			}
		}
		total += reached
		if reached == 0 {
			spare++
		}
	}
	if b.room.maxBytes > 0 && bytes != b.room.maxBytes {
		t.Fatalf("entries and room for others are %d bytes, the bound is %d", bytes, b.room.maxBytes)
	}
	if left := b.room.left.Load(); b.room.counted && left+int64(total)+spare != b.limit+int64(len(b.shards)) {
		t.Fatalf("%d entries and room for %d more, limit %d", total, left, b.limit)
	}
}
