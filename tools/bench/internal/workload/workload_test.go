package workload

import (
	"math"
	"math/bits"
	"strconv"
	"testing"
)

func TestAccesses(t *testing.T) {
	for _, n := range []int{10, 500, 100_000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			accesses := Accesses(Keys(0, n))
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
		for _, write := range Writes(percent) {
			if write {
				writes++
			}
		}
		if got := math.Round(100 * float64(writes) / float64(len(Writes(percent)))); got != float64(percent) {
			t.Errorf("%v %% write, want %d %%", got, percent)
		}
	}
}

func TestKeysHaveTheirSize(t *testing.T) {
	for _, key := range Keys(999_998, 3) {
		if len(key) != KeySize {
			t.Errorf("%q has %d bytes, want %d", key, len(key), KeySize)
		}
	}
}

func TestScans(t *testing.T) {
	scanned := NewTrace(100, 100_000, true, 1)
	scans := 0
	for _, id := range scanned.IDs {
		if int(id) >= scanned.Universe {
			scans++
		}
	}
	if want := 100_000 / turnover; scans != want {
		t.Errorf("%d accesses belong to scans, want %d", scans, want)
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int{"500": 500, "100k": 100_000, "1M": 1_000_000, "100B": 100, "4KiB": 4096, "1MiB": 1 << 20} {
		if got := Number(text); got != want {
			t.Errorf("%s is %d, want %d", text, got, want)
		}
	}
}
