// Package loads measures caches that load what is missing or too old: how often they call
// the source, how long callers wait, and how old what they get is.
package loads

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
)

// The scenario is the same for all.
const (
	processes = 4                      // each with a cache of its own
	callers   = 64                     // of one process
	pause     = 20 * time.Millisecond  // of a caller between two calls, on average
	fresh     = 200 * time.Millisecond // until a value has to be loaded again
	loading   = 50 * time.Millisecond  // time of one load
	backoff   = time.Second            // between two loads of a source that is down
	hold      = 10 * time.Second       // of a lease
)

// Units of what is measured besides times.
const (
	PerExpiry = "loads/expiry"
	P99       = "sec/p99"          // of the time of a call
	Errors    = "errors/outage"    // that callers have seen
	PerSecond = "calls/per-second" // of the source during an outage
)

// way is one way to load values over a store.
type way struct {
	name, lacks string
	ours        bool
	alone       bool // the store is part of the process: each has its own
	never       bool // nothing expires, so that nothing is loaded
	open        func(t target) (process, error)
}

// target is what a process works with.
type target struct {
	addr    string
	backend func() (cache.Backend, error) // over the store that processes share
	key     string
	load    func(ctx context.Context) (int64, error) // returns when it began, in nanoseconds
}

// process is one of those that ask for the key.
type process struct {
	get   func() (int64, error)
	close func()
}

// place is where values are stored.
type place struct {
	name string
	stores.Kind
	slow bool // values expire seconds later: fewer rounds
	open func(addr string) func() (cache.Backend, error)
	ways []way
}

// Expiries are the callers of all processes across the expiries of one key.
func Expiries(name string) (all []measure.Series) {
	for _, p := range places {
		s := p.series(name, p.ways, way.acrossExpiries)
		s.Ops, s.MaxRounds = 50, 2
		if p.slow {
			s.MaxRounds = 1
		}
		all = append(all, s)
	}
	return all
}

// Outages are the same callers while the source is down. An operation is one second. What
// callers get does not depend on the store: the two that peers use are enough.
func Outages(name string) (all []measure.Series) {
	for _, p := range places[:2] {
		ways := slices.DeleteFunc(slices.Clone(p.ways), func(w way) bool { return w.never || w.name == leased })
		s := p.series(name, ways, way.acrossOutage)
		s.Ops, s.MaxRounds = 60, 1
		all = append(all, s)
	}
	return all
}

func (p place) series(name string, ways []way, measured func(w way, t target, n int) (map[string]float64, error)) measure.Series {
	s := measure.Series{Name: name + "/" + p.name, Missing: p.Missing}
	var addr string
	s.Setup = func() (release func(), err error) {
		addr, release, err = p.Start()
		return release, err
	}
	for _, w := range ways {
		s.Lanes = append(s.Lanes, measure.Lane{Peer: w.name, Lacks: w.lacks, Ours: w.ours, Open: func() (func(*testing.B), func(), error) {
			return func(b *testing.B) {
				values, err := measured(w, target{addr: addr, backend: p.open(addr)}, b.N)
				if err != nil {
					measure.Fail(b, err)
				}
				for unit, value := range values {
					b.ReportMetric(value, unit)
				}
			}, func() {}, nil
		}})
	}
	return s
}

// acrossExpiries returns the loads per expiry of n expiries, the times of the calls and the
// ages of their values.
func (w way) acrossExpiries(t target, n int) (map[string]float64, error) {
	s, err := w.start(t)
	if err != nil {
		return nil, err
	}
	defer s.close()
	stop := time.After(time.Duration(n) * fresh)
	if !w.never {
		stop = s.afterExpiries(n)
	}
	calls := s.call(stop)
	if err := calls.firstError; err != nil {
		return nil, err
	}
	values := calls.quantiles()
	if !w.never {
		values[PerExpiry] = s.loadsPerExpiry()
		maps.Copy(values, calls.histogram())
	}
	return values, nil
}

// acrossOutage returns the errors, the times of the calls and the loads of an outage of the
// source.
func (w way) acrossOutage(t target, seconds int) (map[string]float64, error) {
	s, err := w.start(t)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for _, source := range s.sources {
		source.goDown()
	}
	calls := s.call(time.After(time.Duration(seconds) * time.Second))
	loads := 0
	for _, source := range s.sources {
		loads += source.count()
	}
	values := calls.quantiles()
	values[Errors], values[PerSecond] = float64(calls.errors), float64(loads)/float64(seconds)
	return values, nil
}
