package measure

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// Case holds the results of one series on one number of processors.
type Case struct {
	Series string
	Procs  int
	Peers  []*Peer // in the order of their first result
}

// Peer holds the values of one peer by unit, one for each round.
type Peer struct {
	Name   string
	Values map[string][]float64
}

// Cases sorts results by what may be compared.
func Cases(results []*benchfmt.Result) (all []*Case) {
	byName := map[string]*Case{}
	for _, r := range results {
		series, peer, _ := strings.Cut(r.Name.String(), "/peer=")
		at := strings.LastIndexByte(peer, '-')
		procs, err := strconv.Atoi(peer[at+1:])
		if at < 0 || err != nil {
			continue // not a result of this program
		}
		c := &Case{Series: series, Procs: procs}
		if known := byName[c.String()]; known != nil {
			c = known
		} else {
			byName[c.String()] = c
			all = append(all, c)
		}
		p := c.Peer(peer[:at])
		if p == nil {
			p = &Peer{peer[:at], map[string][]float64{}}
			c.Peers = append(c.Peers, p)
		}
		for _, v := range r.Values {
			p.Values[v.Unit] = append(p.Values[v.Unit], v.Value)
		}
	}
	return all
}

func (c *Case) String() string { return fmt.Sprintf("%s-%d", c.Series, c.Procs) }

// Peer returns the peer of that name, or nil.
func (c *Case) Peer(name string) *Peer {
	for _, p := range c.Peers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Best returns, of the peers that match one of the patterns, the one with the
// smallest median, or with the largest if more of unit is better. It returns nil if
// there is none.
func (c *Case) Best(unit string, patterns ...string) *Peer {
	sign := 1
	if strings.HasPrefix(unit, "hit") { // more is better
		sign = -1
	}
	var best *Peer
	for _, p := range c.Peers {
		matches := slices.ContainsFunc(patterns, func(pattern string) bool {
			is, _ := path.Match(pattern, p.Name)
			return is
		})
		if matches && len(p.Values[unit]) > 0 && (best == nil || sign*cmp.Compare(p.Median(unit), best.Median(unit)) < 0) {
			best = p
		}
	}
	return best
}

// Median returns NaN for a unit that was not measured.
func (p *Peer) Median(unit string) float64 { return p.Estimate(unit).Center }

// Estimate returns the median over the rounds and its interval.
func (p *Peer) Estimate(unit string) benchmath.Summary { return estimate(p.Values[unit]) }

// Map returns the median of what f makes of the values.
func (p *Peer) Map(unit string, f func(value float64) float64) benchmath.Summary {
	return p.pairs(p, unit, func(value, _ float64) float64 { return f(value) })
}

// Ratio compares the values of each round and returns the median of their ratios.
func (p *Peer) Ratio(to *Peer, unit string) benchmath.Summary {
	return p.pairs(to, unit, func(a, b float64) float64 { return a / b })
}

// Difference compares the values of each round and returns the median of their
// differences.
func (p *Peer) Difference(from *Peer, unit string) benchmath.Summary {
	return p.pairs(from, unit, func(a, b float64) float64 { return a - b })
}

func (p *Peer) pairs(other *Peer, unit string, compare func(a, b float64) float64) benchmath.Summary {
	a, b := p.Values[unit], other.Values[unit]
	all := make([]float64, min(len(a), len(b)))
	for i := range all {
		all[i] = compare(a[i], b[i])
	}
	return estimate(all)
}

// confidence is the level of the intervals. Six rounds are enough for it.
const confidence = 0.95

// estimate returns the median and its confidence interval, or the range of the
// values if there are too few for an interval.
func estimate(values []float64) benchmath.Summary {
	if len(values) == 0 {
		return benchmath.Summary{Center: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
	}
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	s := benchmath.AssumeNothing.Summary(sample, confidence)
	if len(s.Warnings) > 0 {
		s.Lo, s.Hi = sample.Values[0], sample.Values[len(sample.Values)-1]
	}
	return s
}

// Write writes results in the format of go test -bench, which benchstat reads, below
// facts about the run.
func Write(w io.Writer, facts []benchfmt.Config, results []*benchfmt.Result) error {
	to := benchfmt.NewWriter(w)
	for _, r := range results {
		r.Config = facts
		if err := to.Write(r); err != nil {
			return err
		}
	}
	return nil
}

// Read reads what Write has written.
func Read(r io.Reader, name string) (facts []benchfmt.Config, results []*benchfmt.Result, err error) {
	from := benchfmt.NewReader(r, name)
	for from.Scan() {
		switch record := from.Result().(type) {
		case *benchfmt.Result:
			results = append(results, record.Clone())
		case *benchfmt.SyntaxError:
			return nil, nil, record
		}
	}
	if len(results) > 0 {
		facts = results[0].Config
	}
	return facts, results, from.Err()
}
