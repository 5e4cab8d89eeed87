package loads

import (
	"math"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
)

// inBubble measures a way of the first place, in the memory of this process, in the time
// of a bubble: the counts do not depend on the machine.
func inBubble(t *testing.T, name string, measured func(w way, t target, n int) (map[string]float64, error), n int) (values map[string]float64) {
	t.Helper()
	p := places[0]
	w := p.ways[slices.IndexFunc(p.ways, func(w way) bool { return w.name == name })]
	synctest.Test(t, func(t *testing.T) {
		var err error
		if values, err = measured(w, target{backend: p.open("")}, n); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * loading) // loads behind the last answers end
	})
	t.Log(values)
	return values
}

func TestExpiries(t *testing.T) {
	for name, want := range map[string]struct{ loads, p99 float64 }{
		"GetOrSet":       {processes, float64(loading)},
		"GetOrSet-lease": {1, float64(3 * loading)}, // others ask for the lease now and then
		"loader":         {1, 0},
		"sturdyc":        {processes, 0},
		"otter":          {processes, 0},
	} {
		t.Run(name, func(t *testing.T) {
			values := inBubble(t, name, way.acrossExpiries, 3)
			if values[PerExpiry] != want.loads || values["ns/p99"] > want.p99 {
				t.Errorf("%v loads per expiry, p99 %v; want %v, %v", values[PerExpiry], time.Duration(values["ns/p99"]), want.loads, time.Duration(want.p99))
			}
		})
	}
}

func TestOutages(t *testing.T) {
	for name, want := range map[string]struct{ errors, loads bool }{
		"GetOrSet": {errors: true, loads: true},
		"loader":   {},
		"sturdyc":  {},
		"otter":    {loads: true},
	} {
		t.Run(name, func(t *testing.T) {
			values := inBubble(t, name, way.acrossOutage, 5)
			if errors := values[Errors] > 0; errors != want.errors {
				t.Errorf("callers have seen %v errors", values[Errors])
			}
			if loads := values[PerSecond] > allowed; loads != want.loads {
				t.Errorf("%v loads per second, of which the backoff allows %v", values[PerSecond], allowed)
			}
		})
	}
}

const allowed = processes * 6. / 5 // one at once and one after each of five seconds

// TestWaysReturnLoadedValues finds a way that is not set up well.
func TestWaysReturnLoadedValues(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			if p.Missing != nil && p.Missing() != "" {
				t.Skip(p.Missing())
			}
			addr, release, err := p.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			for _, w := range p.ways {
				began := time.Now().UnixNano()
				s, err := w.start(target{addr: addr, backend: p.open(addr)})
				if err != nil {
					t.Errorf("%s: %v", w.name, err)
					continue
				}
				for i, p := range s.processes {
					if value, err := p.get(); err != nil || value < began || value > time.Now().UnixNano() {
						t.Errorf("process %d of %s gets %d, %v, which was not loaded here", i, w.name, value, err)
					}
				}
				s.close()
			}
		})
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	stores.StopServers()
	os.Exit(code)
}

func TestHistogram(t *testing.T) {
	calls := tally{ages: []time.Duration{-1, 0, binWidth - 1, binWidth, time.Hour}}
	got := calls.histogram()
	for bin, want := range map[string]float64{"share/0s": 60, "share/50ms": 20, "share/400ms": 20} {
		if math.Abs(got[bin]-want) > 1e-9 {
			t.Errorf("%s has %v %%, want %v", bin, got[bin], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("the bins are %v", got)
	}
}
