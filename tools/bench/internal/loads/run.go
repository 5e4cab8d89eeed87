package loads

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// source is what values are loaded from. A load that comes long after the one before
// belongs to another expiry.
type source struct {
	mu              sync.Mutex
	loads, expiries int
	last            time.Time // when the first load of the last expiry began
	want            int       // expiries after which enough is closed
	enough          chan struct{}
	down            bool
}

var errDown = errors.New("the source is down")

// load takes its time, also when it fails.
func (s *source) load(ctx context.Context) (int64, error) {
	began := time.Now()
	down := s.begin(began)
	select {
	case <-time.After(loading):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if down {
		return 0, errDown
	}
	return began.UnixNano(), nil
}

func (s *source) begin(now time.Time) (down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	if now.Sub(s.last) > fresh/2 {
		s.last = now
		if s.expiries++; s.expiries == s.want {
			enough := s.enough
			time.AfterFunc(fresh/2, func() { close(enough) })
		}
	}
	return s.down
}

// expect forgets earlier loads. The channel is closed when all loads of that many expiries
// have begun.
func (s *source) expect(expiries int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads, s.expiries, s.want, s.enough = 0, 0, expiries, make(chan struct{})
	return s.enough
}

func (s *source) goDown() {
	s.expect(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

// scenario is one way with all its processes, which have a fresh value.
type scenario struct {
	sources   []*source // one for each store
	processes []process
}

func (w way) start(t target) (_ *scenario, err error) {
	s := &scenario{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	// A random key, because the store may have entries of other runs.
	t.key = workload.Keys(rand.Int(), 1)[0]
	for i := range processes {
		if i == 0 || w.alone {
			s.sources = append(s.sources, &source{})
			t.load = s.sources[len(s.sources)-1].load
		}
		p, err := w.open(t)
		if err != nil {
			return s, err
		}
		s.processes = append(s.processes, p)
		if _, err := p.get(); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *scenario) close() {
	for _, p := range s.processes {
		p.close()
	}
}

// afterExpiries returns a channel that receives when n values of each store have expired.
func (s *scenario) afterExpiries(n int) <-chan time.Time {
	var all []<-chan struct{}
	for _, source := range s.sources {
		all = append(all, source.expect(n))
	}
	done := make(chan time.Time, 1)
	go func() {
		for _, enough := range all {
			<-enough
		}
		done <- time.Now()
	}()
	return done
}

// loadsPerExpiry counts the loads of all processes. If each has a store of its own, the
// key expires once in each of them.
func (s *scenario) loadsPerExpiry() float64 {
	loads, expiries := 0, 0
	for _, source := range s.sources {
		source.mu.Lock()
		loads, expiries = loads+source.loads, expiries+source.expiries
		source.mu.Unlock()
	}
	return float64(loads) * float64(len(s.sources)) / float64(expiries)
}

// tally is what callers have seen.
type tally struct {
	times, ages []time.Duration
	errors      int
	firstError  error
}

// call lets the callers of all processes call until stop receives.
func (s *scenario) call(stop <-chan time.Time) (all tally) {
	ended := make(chan struct{})
	var running sync.WaitGroup
	perCaller := make([]tally, len(s.processes)*callers)
	for i := range perCaller {
		running.Go(func() { perCaller[i].call(s.processes[i%len(s.processes)].get, ended) })
	}
	<-stop
	close(ended)
	running.Wait()
	for _, t := range perCaller {
		all.times, all.ages = append(all.times, t.times...), append(all.ages, t.ages...)
		if all.errors += t.errors; all.firstError == nil {
			all.firstError = t.firstError
		}
	}
	return all
}

func (t *tally) call(get func() (int64, error), ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-time.After(rand.N(2 * pause)):
		}
		began := time.Now()
		value, err := get()
		now := time.Now()
		t.times = append(t.times, now.Sub(began))
		switch {
		case err == nil:
			t.ages = append(t.ages, now.Sub(time.Unix(0, value)))
		case t.firstError == nil:
			t.firstError = err
			fallthrough
		default:
			t.errors++
		}
	}
}

func (t tally) quantiles() map[string]float64 {
	slices.Sort(t.times)
	at := func(percent int) float64 { return float64(t.times[(len(t.times)-1)*percent/100]) }
	return map[string]float64{"ns/p50": at(50), "ns/p99": at(99)}
}

const binWidth = fresh / 4

// histogram returns the percentage of the ages in each bin. The last bin has no end.
func (t tally) histogram() map[string]float64 {
	const last = 2 * fresh / binWidth
	values := map[string]float64{}
	for _, age := range t.ages {
		begin := binWidth * min(max(age, 0)/binWidth, last)
		values[fmt.Sprintf("%s/%v", measure.Share, begin)] += 100 / float64(len(t.ages))
	}
	return values
}
