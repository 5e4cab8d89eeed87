package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestPeersReturnWhatTheyWereGiven(t *testing.T) {
	keys := makeKeys(0, 500)
	numbered := func(key string) []byte { return []byte(strings.Repeat(key, 5)) } // 100 bytes
	for _, p := range slices.Concat(peers(), copiers()) {
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
	for _, p := range slices.Concat(peers(), copiers()) {
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
	keys := makeKeys(0, given)
	for _, p := range slices.Concat(peers(), copiers()) {
		t.Run(p.name, func(t *testing.T) {
			s := openPeer(t, p, capacity)
			s.fill(keys, func(string) []byte { return make([]byte, valueSize) })
			held := given - len(s.absent(keys))
			most := map[bound]int{
				byEntries: capacity,
				byBytes:   megabytes(capacity, valueSize) << 20 / (keySize + valueSize),
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
	plain := makeTrace(capacity, 100_000, false, 1)
	for _, p := range peers() {
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
			got := plain.replay(settled, make([]byte, valueSize))
			// LRU reaches 66 %, the best fixed choice of keys 75 %; ristretto, which loses
			// track of reads too, 57 % on a slow machine.
			if got < 50 || got > 76 {
				t.Errorf("%.1f %% of reads hit", got)
			}
		})
	}
}

func TestPeersAreDescribed(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := lacksTable().markdown(); !bytes.Contains(readme, []byte(table)) {
		t.Errorf("README.md does not have this table:\n%s", table)
	}
}

func TestFilePeersReturnWhatTheyWereGiven(t *testing.T) {
	for _, p := range filePeers() {
		t.Run(p.name, func(t *testing.T) {
			s, err := p.open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			for round := range 2 {
				for i := range 10 {
					if err := s.set(fmt.Sprint("key", i), fmt.Append(nil, "value", i, round)); err != nil {
						t.Fatal(err)
					}
				}
				for i := range 10 {
					got, err := s.get(fmt.Sprint("key", i))
					if want := fmt.Sprint("value", i, round); err != nil || string(got) != want {
						t.Errorf("got %q, %v, want %q", got, err, want)
					}
				}
			}
			if got, err := s.get("absent"); err == nil {
				t.Errorf("an absent key is %q", got)
			}
		})
	}
}

func openPeer(t *testing.T, p peer, capacity int) store {
	t.Helper()
	s, err := p.open(capacity, valueSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}
