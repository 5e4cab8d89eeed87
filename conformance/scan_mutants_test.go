package conformance_test

import (
	"context"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// scanMutants is mutants for the rules about Scan.
var scanMutants = []defect{
	{"Scan lists an entry twice", "SCN-1", []string{"SCN-2", "SCN-3", "SCN-4", "SCN-6"}, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		return yield(entry, nil) && (!strings.HasSuffix(entry.Key, "2") || yield(entry, nil))
	})},
	{"Scan does not list counters", "SCN-1", []string{"SCN-3"}, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		return strings.Contains(entry.Key, "Inc") || yield(entry, nil)
	})},
	{"Scan does not list empty values", "SCN-1", []string{"SCN-4"}, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		return entry.Size == 0 || yield(entry, nil)
	})},
	{"Scan stops after its first step", "SCN-9", nil, mutant{
		scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			if _, err := snapshot(ctx, r, prefix); err != nil {
				return driver.FailedScan(err)
			}
			return listing(r.page(prefix, ""))
		}}},
	{"Scan ignores the prefix", "SCN-2", []string{anyRule}, matching(func(string, string) bool { return true })},
	{"Scan ignores the case of the prefix", "SCN-2", nil, matching(func(key, prefix string) bool {
		return len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix)
	})},
	{"Scan takes the prefix for a pattern", "SCN-2", nil, matching(func(key, prefix string) bool {
		if strings.HasPrefix(key, prefix) && !strings.ContainsAny(prefix, `*?[\`) {
			return true
		}
		ok, _ := path.Match(prefix+"*", key)
		return ok
	})},
	{"Scan does not list the key that is the prefix", "SCN-2", nil, matching(func(key, prefix string) bool {
		return key != prefix && strings.HasPrefix(key, prefix)
	})},
	{"Scan cuts the prefix from the keys", "SCN-2", []string{anyRule}, mutant{
		scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			return func(yield func(driver.Entry, error) bool) {
				for entry, err := range r.Scan(ctx, prefix) {
					entry.Key = strings.TrimPrefix(entry.Key, prefix)
					if !yield(entry, err) {
						return
					}
				}
			}
		}}},
	{"Scan does not know the TTL", "SCN-3", []string{"SCN-5"}, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		entry.TTL = 0
		return yield(entry, nil)
	})},
	{"Scan gives entries without expiry a TTL", "SCN-3", nil, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		if entry.TTL == 0 {
			entry.TTL = 5 * time.Minute
		}
		return yield(entry, nil)
	})},
	{"Scan returns seconds for milliseconds", "SCN-3", nil, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		entry.TTL *= 1000
		return yield(entry, nil)
	})},
	{"Scan extends the TTL", "SCN-3", []string{"SCN-5"}, scanning(func(r *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		r.mu.Lock()
		if e := r.entries[entry.Key]; entry.TTL > 0 {
			e.expires = e.expires.Add(time.Minute)
			r.entries[entry.Key] = e
		}
		r.mu.Unlock()
		return yield(entry, nil)
	})},
	{"Scan rounds the TTL to 0", "SCN-5", nil, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		if entry.TTL < time.Second {
			entry.TTL = entry.TTL.Truncate(10 * time.Millisecond)
		}
		return yield(entry, nil)
	})},
	{"the size has the key", "SCN-4", nil, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		entry.Size += int64(len(entry.Key))
		return yield(entry, nil)
	})},
	{"the size is cut to 16 bits", "SCN-4", nil, scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
		entry.Size &= 0xffff
		return yield(entry, nil)
	})},
	{"Scan lists the parts of large values", "SCN-4", nil, alsoListing(func(r *reference) (parts []string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for key, e := range r.entries {
			if len(e.value) > 200_000 {
				parts = append(parts, key+".1")
			}
		}
		return parts
	})},
	{"Scan lists expired entries", "SCN-5", nil, alsoListing(func(r *reference) (expired []string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for key := range r.entries {
			if _, live := r.live(key); !live {
				expired = append(expired, key)
			}
		}
		return expired
	})},
	{"Scan lists leased keys", "SCN-6", nil, alsoListing(func(r *reference) []string {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.Collect(maps.Keys(r.leases))
	})},
	{"Scan lists the markers of leases", "SCN-6", nil, alsoListing(func(r *reference) (markers []string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for key := range r.leases {
			markers = append(markers, key+".lease")
		}
		return markers
	})},
	{"Scan goes on by position", "SCN-7", nil, mutant{
		scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			return func(yield func(driver.Entry, error) bool) {
				for at := 0; ; at += pageSize {
					list, err := snapshot(ctx, r, prefix)
					if err != nil {
						yield(driver.Entry{}, err)
						return
					}
					if at >= len(list) {
						return
					}
					for _, entry := range list[at:min(at+pageSize, len(list))] {
						if !yield(entry, nil) {
							return
						}
					}
				}
			}
		}}},
	{"Scan lists what was written meanwhile again", "SCN-7", []string{"SCN-9"}, mutant{
		scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			return func(yield func(driver.Entry, error) bool) {
				list, err := snapshot(ctx, r, prefix)
				if err != nil {
					yield(driver.Entry{}, err)
					return
				}
				for _, entry := range list {
					if !yield(entry, nil) {
						return
					}
				}
				gap()
				for entry := range r.Scan(ctx, prefix) {
					if i, found := slices.BinarySearchFunc(list, entry, byKey); !found || list[i].TTL < entry.TTL {
						if !yield(entry, nil) {
							return
						}
					}
				}
			}
		}}},
	{"Scan returns the size before CompareAndSwap", "MOD-1", nil, mutant{build: func() mutant {
		var before sync.Map
		m := scanning(func(_ *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool {
			if size, ok := before.Load(entry.Key); ok {
				entry.Size = size.(int64)
			}
			return yield(entry, nil)
		})
		m.swap = func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			swapped, err := r.CompareAndSwap(ctx, key, old, value, ttl)
			if swapped {
				before.Store(key, int64(len(old)))
			}
			return swapped, err
		}
		m.set = func(r *reference, key string, value []byte, ttl time.Duration) error {
			before.Delete(key)
			return r.Set(ctx, key, value, ttl)
		}
		return m
	}}},
	{"Scan after Close is empty", "CLO-2", []string{"SCN-9"}, mutant{
		scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			if r.Ping(ctx) != nil {
				return listing(nil)
			}
			return r.Scan(ctx, prefix)
		}}},
	{"a cancelled Scan ends without an error", "SCN-9", nil, mutant{
		scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			return func(yield func(driver.Entry, error) bool) {
				for entry, err := range r.Scan(ctx, prefix) {
					if !yield(entry, err) || ctx.Err() != nil {
						return
					}
				}
			}
		}}},
	{"Scan swallows the error at its end", "SCN-9", []string{"CLO-2"}, mutant{
		scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			return func(yield func(driver.Entry, error) bool) {
				for entry, err := range r.Scan(ctx, prefix) {
					if err != nil || !yield(entry, nil) {
						return
					}
				}
			}
		}}},
}

func byKey(a, b driver.Entry) int { return strings.Compare(a.Key, b.Key) }

// aboutScan selects the rules that use Scan and do not depend on chance.
func aboutScan(rule string) func(c conformance.Case) bool {
	return func(c conformance.Case) bool {
		return c.ID == rule || (strings.HasPrefix(c.ID, "SCN") || c.ID == "CLO-2" || c.ID == "CTX-1") && !slices.Contains(withChance, c.ID)
	}
}

func TestScanMutants(t *testing.T) {
	skipUnderRace(t)
	for _, m := range scanMutants {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			check(t, conformance.VerdictsOn(t, m.mutant.harness(), m.rule, aboutScan(m.rule)), m.rule, m.also)
		})
	}
}

// TestScanMutantsOutsideABubble has defects that a bubble does not survive.
func TestScanMutantsOutsideABubble(t *testing.T) {
	skipUnderRace(t)
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	for _, m := range []defect{
		{"Scan holds a lock while the body runs", "SCN-8", nil, mutant{
			scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
				return func(yield func(driver.Entry, error) bool) {
					list, err := snapshot(ctx, r, prefix)
					if err != nil {
						yield(driver.Entry{}, err)
						return
					}
					r.mu.Lock()
					defer r.mu.Unlock()
					for _, entry := range list {
						if !yield(entry, nil) {
							return
						}
					}
				}
			}}},
		{"Scan leaks a goroutine when the loop ends early", "SCN-10", nil, mutant{
			scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
				return func(yield func(driver.Entry, error) bool) {
					type pair struct {
						driver.Entry
						error
					}
					pairs := make(chan pair)
					go func() {
						defer close(pairs)
						for entry, err := range r.Scan(ctx, prefix) {
							select {
							case pairs <- pair{entry, err}:
							case <-end:
								return
							}
						}
					}()
					for p := range pairs {
						if !yield(p.Entry, p.error) {
							return
						}
					}
				}
			}}},
		{"Scan holds a connection when the loop ends early", "SCN-10", nil, mutant{build: func() mutant {
			pool := make(chan struct{}, 10)
			return mutant{scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
				return func(yield func(driver.Entry, error) bool) {
					pool <- struct{}{}
					for entry, err := range r.Scan(ctx, prefix) {
						if !yield(entry, err) {
							return
						}
					}
					<-pool
				}
			}}
		}}},
	} {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			h := m.mutant.harness()
			h.Bubble, h.Isolated = false, true
			h.Unsupported[conformance.Network], h.Unsupported[conformance.Persistence] = "a map", "a map"
			only := func(c conformance.Case) bool { return c.ID == m.rule }
			check(t, conformance.VerdictsOn(t, h, m.rule, only), m.rule, nil)
		})
	}
}

// recent is a bounded reference that evicts the entry whose last use is the oldest.
type recent struct {
	*reference
	order   []string // from the oldest use to the newest
	touches bool     // Scan is a use
	step    sync.Mutex
}

func (b *recent) use(key string) {
	if i := slices.Index(b.order, key); i >= 0 {
		b.order = slices.Delete(b.order, i, i+1)
	}
	b.order = append(b.order, key)
}

func (b *recent) Get(ctx context.Context, key string) ([]byte, bool, error) {
	b.step.Lock()
	defer b.step.Unlock()
	value, ok, err := b.reference.Get(ctx, key)
	if ok {
		b.use(key)
	}
	return value, ok, err
}

func (b *recent) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	b.step.Lock()
	defer b.step.Unlock()
	b.use(key)
	if len(b.order) > b.most {
		b.reference.Delete(ctx, b.order[0])
		b.order = b.order[1:]
	}
	return b.reference.Set(ctx, key, value, ttl)
}

func (b *recent) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for entry, err := range b.reference.Scan(ctx, prefix) {
			if b.touches && err == nil {
				b.step.Lock()
				b.use(entry.Key)
				b.step.Unlock()
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

func TestScanMutantsOfEviction(t *testing.T) {
	for _, m := range []struct {
		defect, rule string
		touches      bool
		outcome      conformance.Outcome
	}{
		{"Scan counts as a use of each entry", "SCN-11", true, conformance.Fail},
		{"none", "", false, conformance.Pass},
	} {
		h := conformance.Harness{
			New:    func(*testing.T) driver.Backend { return newReference() },
			Bubble: true,
			Stores: conformance.Stores{Bounded: func(_ *testing.T, most int) driver.Backend {
				return &recent{reference: newBounded(most), touches: m.touches}
			}},
		}
		report := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "SCN-11" })
		if got := report.Results[0].Outcome; got != m.outcome {
			t.Errorf("Scan counts as a use: %v: %s, want %s (%s)", m.touches, got, m.outcome, report.Reason("SCN-11"))
		}
	}
}
