package main

import (
	"math"
	"math/bits"
	"strconv"
	"testing"
)

func TestAccesses(t *testing.T) {
	for _, n := range []int{10, 500, 100_000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			accesses := makeAccesses(makeKeys(0, n))
			if bits.OnesCount(uint(len(accesses))) != 1 {
				t.Errorf("%d accesses are no power of two", len(accesses))
			}
			asked := map[string]bool{}
			for _, key := range accesses {
				asked[key] = true
			}
			if len(asked) < n*6/10 {
				t.Errorf("%d of %d keys are asked for", len(asked), n)
			}
		})
	}
}

func TestWrites(t *testing.T) {
	for _, percent := range []int{0, 10, 50} {
		writes := 0
		for _, write := range makeWrites(percent) {
			if write {
				writes++
			}
		}
		if got := math.Round(100 * float64(writes) / float64(len(makeWrites(percent)))); got != float64(percent) {
			t.Errorf("%v %% write, want %d %%", got, percent)
		}
	}
}

func TestKeysHaveTheirSize(t *testing.T) {
	for _, key := range makeKeys(999_998, 3) {
		if len(key) != keySize {
			t.Errorf("%q has %d bytes, want %d", key, len(key), keySize)
		}
	}
}

// TestReplay counts against a store that never evicts, where the hits are known.
func TestReplay(t *testing.T) {
	everything, err := openLockedMap(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	nothing := store{get: func(string) ([]byte, bool) { return nil, false }, set: func(string, []byte) {}}
	plain, scanned := makeTrace(100, 100_000, false, 1), makeTrace(100, 100_000, true, 1)
	if got := plain.replay(everything, nil); got < 99 {
		t.Errorf("%.1f %% hit where everything is kept", got)
	}
	if got := plain.replay(nothing, nil); got != 0 {
		t.Errorf("%.1f %% hit where nothing is kept", got)
	}
	if got, want := scanned.replay(everything, nil), 100.0; got != want {
		t.Errorf("%.1f %% hit, want %v: misses of scans do not count", got, want)
	}
	scans := 0
	for _, id := range scanned.ids {
		if int(id) >= scanned.universe {
			scans++
		}
	}
	if want := 100_000 / turnover; scans != want {
		t.Errorf("%d accesses belong to scans, want %d", scans, want)
	}
}
