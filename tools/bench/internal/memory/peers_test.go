package memory

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

func TestPeersReturnWhatTheyWereGiven(t *testing.T) {
	keys := workload.Keys(0, 500)
	numbered := func(key string) []byte { return []byte(strings.Repeat(key, 5)) } // 100 bytes
	for _, p := range slices.Concat(peers, copiers, loaders, observed) {
		t.Run(p.name, func(t *testing.T) {
			s := openPeer(t, p, 600)
			s.fill(keys, numbered)
			get := s.newReader()
			for _, key := range keys {
				if value, ok := get(key); ok && !bytes.Equal(value, numbered(key)) {
					t.Fatalf("%s is %q, want %q", key, value, numbered(key))
				}
			}
			lost := len(s.absent(keys))
			if p.name != "ristretto" && lost > 0 || lost > 50 {
				t.Errorf("%d of %d entries are not there", lost, len(keys))
			}
			if value, ok := get("key of nobody"); ok {
				t.Errorf("an absent key is %q", value)
			}
		})
	}
}

func TestPeersReplaceValues(t *testing.T) {
	for _, p := range slices.Concat(peers, copiers, loaders, observed) {
		t.Run(p.name, func(t *testing.T) {
			s := openPeer(t, p, 100)
			for _, want := range []string{"first", "again"} {
				s.fill([]string{"key"}, func(string) []byte { return []byte(want) })
				if got, ok := s.newReader()("key"); !ok || string(got) != want {
					t.Errorf("got %q, %v after %q was stored", got, ok, want)
				}
			}
		})
	}
}

func TestPeersKeepTheirBound(t *testing.T) {
	const capacity, given = 2_000, 50_000
	keys := workload.Keys(0, given)
	for _, p := range slices.Concat(peers, copiers, loaders, observed) {
		t.Run(p.name, func(t *testing.T) {
			s := openPeer(t, p, capacity)
			s.fill(keys, func(string) []byte { return make([]byte, workload.ValueSize) })
			held := given - len(s.absent(keys))
			most := map[bound]int{
				byEntries: capacity,
				byShard:   2 * capacity,
				byBytes:   megabytes(capacity, workload.ValueSize) << 20 / (workload.KeySize + workload.ValueSize),
				unbounded: given,
			}[p.bound]
			if held > most {
				t.Errorf("%d entries are there, at most %d may", held, most)
			}
			if p.bound == unbounded && held < given {
				t.Errorf("%d of %d entries are there, and nothing bounds them", held, given)
			}
			if held < capacity*9/10 {
				t.Errorf("only %d entries are there, there is room for %d", held, capacity)
			}
		})
	}
}

// TestPeersKeepTheKeysAskedForMost is to notice a peer that is not set up well.
// Sets are settled now and then, so that none are dropped on a slow machine.
func TestPeersKeepTheKeysAskedForMost(t *testing.T) {
	const capacity = 500
	plain := workload.NewTrace(capacity, 100_000, false, 1)
	for _, p := range peers {
		if p.bound != byEntries {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			s := openPeer(t, p, capacity)
			settled, sets := s, 0
			settled.set = func(key string, value []byte) {
				s.set(key, value)
				if sets++; s.settle != nil && sets%100 == 0 {
					s.settle()
				}
			}
			got := replay(plain, settled, func(uint32) []byte { return make([]byte, workload.ValueSize) })
			// LRU reaches 66 %, the best fixed choice of keys 75 %; ristretto, which loses
			// track of reads too, 57 % on a slow machine.
			if got < 50 || got > 76 {
				t.Errorf("%.1f %% of reads hit", got)
			}
		})
	}
}

func openPeer(t *testing.T, p peer, capacity int) store {
	t.Helper()
	s := p.open(capacity, workload.ValueSize)
	t.Cleanup(s.close)
	return s
}

func noValue(uint32) []byte { return nil }

// TestReplay counts against stores of which the hits are known.
func TestReplay(t *testing.T) {
	everything := openLockedMap(0, 0)
	nothing := store{get: func(string) ([]byte, bool) { return nil, false }, set: func(string, []byte) {}}
	plain, scanned := workload.NewTrace(100, 100_000, false, 1), workload.NewTrace(100, 100_000, true, 1)
	if got := replay(plain, everything, noValue); got < 99 {
		t.Errorf("%.1f %% hit if everything is kept", got)
	}
	if got := replay(plain, nothing, noValue); got != 0 {
		t.Errorf("%.1f %% hit if nothing is kept", got)
	}
	if got, want := replay(scanned, everything, noValue), 100.0; got != want {
		t.Errorf("%.1f %% hit, want %v: misses of scans do not count", got, want)
	}
}
