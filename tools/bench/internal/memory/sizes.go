package memory

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"

	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// weighted are the peers that bound the weight of their entries. All of them are told
// the weight that simple gives to an entry by itself: only their policies differ.
var weighted = []peer{
	{"simple-bytes", "nothing: Options.MaxBytes", byBytes, openSimpleBytes},
	{"otter-weight", "nothing: Options.MaximumWeight and an expiry per entry", byBytes, openOtterBytes},
	{"theine-cost", "a bound at all times: as theine, with a cost", byBytes, openTheineBytes},
	{"ristretto-cost", "sets that stay: drops and rejects some", byBytes, openRistrettoBytes},
}

// weightOf is the weight of an entry of simple.
func weightOf(value []byte) int64 { return int64(len(value)+136+7) &^ 7 }

func openSimpleBytes(bytes, _ int) store {
	b := must(simple.New(ctx, simple.Options{MaxBytes: int64(bytes)}))
	return store{
		get:   func(key string) ([]byte, bool) { return present(b.Get(ctx, key)) },
		set:   func(key string, value []byte) { b.Set(ctx, key, value, workload.Life) },
		close: func() { b.Close() },
	}
}

func openOtterBytes(bytes, _ int) store {
	c := must(otter.New(&otter.Options[string, []byte]{
		MaximumWeight:    uint64(bytes),
		Weigher:          func(_ string, value []byte) uint32 { return uint32(weightOf(value)) },
		ExpiryCalculator: otter.ExpiryWriting[string, []byte](workload.Life),
	}))
	return store{
		get:    c.GetIfPresent,
		set:    func(key string, value []byte) { c.Set(key, value) },
		settle: c.CleanUp,
		close:  func() { c.StopAllGoroutines() },
	}
}

func openTheineBytes(bytes, _ int) store {
	c := must(theine.NewBuilder[string, []byte](int64(bytes)).Build())
	set := func(key string, value []byte) { c.SetWithTTL(key, value, weightOf(value), workload.Life) }
	return store{get: c.Get, set: set, settle: c.Wait, close: c.Close}
}

func openRistrettoBytes(bytes, _ int) store {
	c := must(ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters:        int64(bytes) / 100, // ten for each entry of 1 KB
		BufferItems:        64,
		MaxCost:            int64(bytes),
		IgnoreInternalCost: true,
	}))
	set := func(key string, value []byte) { c.SetWithTTL(key, value, weightOf(value), workload.Life) }
	return store{get: c.Get, set: set, settle: c.Wait, close: c.Close}
}

const (
	medianSize = 500 // bytes of a value
	// sizeSpread is the standard deviation of the logarithm of sizes: one value in
	// forty is more than 20 times the median, one in 700 more than 90 times.
	sizeSpread = 1.5
)

// sizesOf returns a log-normally distributed size for each key, and the mean.
func sizesOf(keys int) (sizes []int, mean int) {
	random := rand.New(rand.NewPCG(3, uint64(keys)))
	total := 0
	sizes = make([]int, keys)
	for i := range sizes {
		sizes[i] = int(medianSize * math.Exp(sizeSpread*random.NormFloat64()))
		total += sizes[i]
	}
	return sizes, total / keys
}

// SizedRatios replay the traces of Ratios with values of different sizes, in room for
// each number of entries of the mean size.
func SizedRatios(name string, entries ...string) []measure.Series {
	var all []measure.Series
	for _, n := range entries {
		all = append(all, sizedRatio(name+"/sizes/entries="+n, workload.Number(n), false), sizedRatio(name+"/sizes/scans/entries="+n, workload.Number(n), true))
	}
	return all
}

func sizedRatio(name string, entries int, scans bool) measure.Series {
	s := measure.Series{Name: name}
	if entries >= 100_000 { // one replay is longer than a turn
		s.MaxRounds, s.Heavy = 2, true
	}
	var t workload.Trace
	var values [][]byte
	room := 0
	s.Setup = func() (func(), error) {
		t = workload.NewTrace(entries, max(30*entries, 1_000_000), scans, 1)
		sizes, mean := sizesOf(len(t.Keys))
		room = entries * int(weightOf(make([]byte, mean)))
		values = valuesOf(sizes)
		return func() { t, values = workload.Trace{}, nil }, nil
	}
	for _, p := range weighted {
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			return func(b *testing.B) {
				sum := 0.0
				for range b.N {
					st := p.open(room, 0)
					sum += replay(t, st, func(id uint32) []byte { return values[id] })
					st.close()
				}
				b.ReportMetric(sum/float64(b.N), HitPercent)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(t.IDs)), "ns/access")
			}, func() {}, nil
		}))
	}
	return s
}

// valuesOf returns values of the given sizes. They share one array, which no peer
// writes to.
func valuesOf(sizes []int) [][]byte {
	most := 0
	for _, size := range sizes {
		most = max(most, size)
	}
	all := make([]byte, most)
	values := make([][]byte, len(sizes))
	for i, size := range sizes {
		values[i] = all[:size:size]
	}
	return values
}
