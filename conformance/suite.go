package conformance

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// suite is one run of the cases over one backend, in a test or without one.
type suite struct {
	harness Harness
	absent  map[Feature]string // why, for each feature that the backend lacks
	lacking []Feature          // absent and not declared
	idle    []Feature          // declared and there all the same
	janitor *cache.Cache       // open from first to last, to remove what cases leave; nil where nobody minds
	run     string             // random, part of every key and prefix
	short   bool

	mu     sync.Mutex
	report Report
}

func newSuite(h Harness) *suite {
	seed, err := strconv.ParseUint(os.Getenv("CONFORMANCE_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	h = h.withDefaults()
	return &suite{
		harness: h,
		run:     strings.ToLower(crand.Text()[:8]),
		report: Report{
			Suite: Version, Backend: h.Name, Server: h.Server, ServerVersion: h.ServerVersion,
			Seed: seed, Started: time.Now().UTC(), Limits: h.limits(),
		},
	}
}

// probe finds out what backend can do and holds it against what the harness says.
func (s *suite) probe(ctx context.Context, backend cache.Backend) error {
	if s.report.Backend == "" {
		s.report.Backend = cache.New(backend).Name()
	}
	s.absent = s.harness.implied()
	null, keepsNothing := s.harness.Unsupported[Storage]
	for _, feature := range features {
		reason, declared := s.harness.Unsupported[feature]
		if _, implied := s.absent[feature]; implied {
			continue
		}
		works, err := s.works(ctx, backend, feature)
		if err != nil {
			return fmt.Errorf("probing %s: %w", feature, err)
		}
		switch {
		case works && declared:
			s.idle = append(s.idle, feature)
		case works:
		case declared:
			s.absent[feature] = reason
		case keepsNothing:
			s.absent[feature] = null
		default:
			s.lacking = append(s.lacking, feature)
			s.absent[feature] = "it is not there"
		}
	}
	s.report.Features = s.support()
	return nil
}

// support says of each feature whether the backend has it.
func (s *suite) support() []Support {
	list := make([]Support, len(features))
	for i, feature := range features {
		reason, absent := s.absent[feature]
		_, declared := s.harness.Unsupported[feature]
		list[i] = Support{feature, Pass, reason}
		if absent {
			list[i].Outcome = Unsupported
		}
		if feature == FullClear && absent && !declared && !s.harness.Isolated {
			list[i].Outcome = Skipped
		}
	}
	return list
}

// works reports whether backend has feature, by using it where that does no harm.
func (s *suite) works(ctx context.Context, backend cache.Backend, feature Feature) (works bool, err error) {
	key := "conformance-" + s.run + "-probe"
	life := time.Minute
	switch feature {
	case Storage:
		if err = backend.Set(ctx, key, []byte("1"), life); err == nil {
			_, works, err = backend.Get(ctx, key)
		}
	case Counter:
		counter, can := backend.(cache.Counter)
		if works = can; can {
			_, err = counter.Inc(ctx, key, 1, life)
		}
	case TTL:
		ttler, can := backend.(cache.TTLer)
		if works = can; can {
			_, _, err = ttler.TTL(ctx, key)
		}
	case PrefixClear:
		clearer, can := backend.(cache.PrefixClearer)
		if works = can; can {
			err = clearer.ClearPrefix(ctx, key)
		}
	case FullClear:
		if !s.harness.Isolated {
			return s.harness.field(feature), nil
		}
		works, err = true, backend.Clear(ctx)
	default:
		return s.harness.field(feature), nil
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	if isOutage(err) {
		return false, err
	}
	works = works || err != nil // whose reason the cases tell
	_, err = backend.Delete(ctx, key)
	if !isOutage(err) {
		err = nil
	}
	return works, err
}

// isOutage reports whether err says nothing about the backend.
func isOutage(err error) bool {
	return errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrAuth)
}

// paste is the declaration that an author may want to copy.
func (s *suite) paste() string {
	var b strings.Builder
	b.WriteString("\tUnsupported: map[conformance.Feature]string{\n")
	for _, feature := range s.lacking {
		fmt.Fprintf(&b, "\t\tconformance.%s: \"why not\",\n", feature)
	}
	return b.String() + "\t},"
}

// excluded says what becomes of a case that is not run, "" for one that is.
func (s *suite) excluded(c Case) (Outcome, string) {
	for _, feature := range c.Features {
		if slices.Contains(s.lacking, feature) {
			return Fail, fmt.Sprintf("it needs conformance.%s, which the backend neither has nor declares; "+
				"implement it, or declare in the harness:\n%s", feature, s.paste())
		}
		if reason, absent := s.absent[feature]; absent {
			return Unsupported, reason
		}
	}
	if reason, absent := s.absent[Storage]; absent && !c.is(null|nullOnly) {
		return Unsupported, reason
	}
	if c.when != nil {
		if reason := c.when(s.harness); reason != "" {
			return Unsupported, reason
		}
	}
	if c.is(waits) && s.short && !s.harness.Bubble && s.harness.Advance == nil {
		return Skipped, "time must really pass (-short)"
	}
	return "", ""
}

// concerns reports whether c is a case for this kind of backend at all.
func (s *suite) concerns(c Case) bool {
	_, keepsNothing := s.harness.Unsupported[Storage]
	return keepsNothing || !c.is(nullOnly)
}

// opener is how the attempts of one case get their backends; all but first may
// be nil or absent.
type opener struct {
	first         func() cache.Backend
	keep          bool // first stays open
	emptied       func() cache.Backend
	guarded       func() cache.Backend
	unauthorized  func() cache.Backend
	full          func() cache.Backend
	partialOutage func() (b cache.Backend, lose func())
	reopen        func(first cache.Backend) cache.Backend
	bounded       func(most int) cache.Backend
	connect       func(addr string) (cache.Backend, error)
}

// attempt is one case in one mode: how it is prepared, and how it ended.
type attempt struct {
	mode     mode
	failures []failure
	broken   string
	notHere  string
}

// prepare opens what an attempt needs.
func (s *suite) prepare(ctx context.Context, c Case, m mode, open opener) *T {
	openFirst, own := open.first, s.harness.Isolated
	if c.is(clears) && m != prefixed && !own && open.emptied != nil {
		openFirst, own = open.emptied, true
	}
	first := openFirst()
	shown := first
	if m == fallback {
		shown = withoutFallbacks{first}
	}
	t := &T{
		ctx: ctx, harness: s.harness, mode: m, id: s.run + "-" + c.ID + "-" + string(m), backend: shown, first: first, absent: s.absent,
		rand:  rand.New(rand.NewPCG(s.report.Seed, uint64(len(c.ID)))),
		short: s.short, set: map[string]time.Time{},
		opener: open, own: own, open: openFirst,
	}
	t.pass = time.Sleep
	if s.harness.Advance != nil && !s.harness.Bubble {
		t.pass = func(d time.Duration) {
			s.harness.Advance(first, d)
			t.jumped += d
		}
	}
	prefix := ""
	if m == prefixed {
		prefix = t.id + ":"
	}
	t.cache = cache.New(shown, cache.WithPrefix(prefix))
	t.try = &store{cache: t.cache, recorder: &recorder{prefix: prefix, keys: map[string]struct{}{}}}
	if m != prefixed && !own {
		t.try.prefix = t.id + ":"
	}
	if m == bare {
		t.try.bare = first
	}
	return t
}

// perform runs c and cleans up after it. Whatever happens, it ends normally,
// except where the harness ends the goroutine.
func (s *suite) perform(t *T, c Case) (a attempt) {
	a.mode = t.mode
	ended := false
	defer func() {
		if !ended {
			a.broken = "the harness ended the case"
		}
	}()
	t.guard(func() {
		beside := t.neighbours()
		c.Run(t)
		t.unharmed(beside)
	})
	t.guard(func() { s.cleanUp(t) })
	if !t.keep {
		t.closing = append(t.closing, t.backend)
	}
	for _, b := range slices.Backward(t.closing) {
		if err := b.Close(); err != nil {
			t.Wrong("Close", err, text("no error"))
		}
	}
	ended = true
	a.failures, a.broken, a.notHere = t.failures, t.broken, t.notHere
	return a
}

// guard runs a part of an attempt, which a failure may stop.
func (t *T) guard(part func()) {
	defer t.recover()
	part()
}

// neighbours puts entries around the prefix of the attempt that no operation
// under it may touch.
func (t *T) neighbours() []string {
	if t.mode != prefixed || !t.Can(Storage) {
		return nil
	}
	beside := []string{t.id, t.id + ";next", "x" + t.id + ":before"}
	for _, key := range beside {
		t.Ok("Set of a neighbour", t.backend.Set(t.ctx, key, []byte(key), time.Hour))
	}
	return beside
}

// unharmed checks the neighbours and removes them.
func (t *T) unharmed(beside []string) {
	if t.isClosed {
		return
	}
	for _, key := range beside {
		value, ok, err := t.backend.Get(t.ctx, key)
		t.Ok("Get of a neighbour", err)
		if !ok || string(value) != key {
			t.Wrong("a key outside the prefix "+show(t.id+":")+" must stay as it is: "+show(key), value, key)
		}
	}
}

// cleanUp removes what the attempt has left in a store that others use.
func (s *suite) cleanUp(t *T) {
	if s.janitor == nil {
		return
	}
	left := []string{t.id, t.id + ";next", "x" + t.id + ":before"}
	for key := range t.try.recorder.keys {
		// Whatever a case does, nothing goes that is not its own.
		if strings.Contains(key, t.id) {
			left = append(left, key)
		}
	}
	for chunk := range slices.Chunk(left, 1000) {
		_, err := s.janitor.DeleteMany(context.WithoutCancel(t.ctx), chunk...)
		if err != nil && !errors.Is(err, cache.ErrInvalidKey) {
			t.Ok("removing what the case left", err)
		}
	}
}

// record keeps the result of a case.
func (s *suite) record(c Case, outcome Outcome, reason string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Results = append(s.report.Results, Result{
		ID: c.ID, Name: c.Name, Rule: c.Rule, Outcome: outcome, Reason: reason,
		Provisional: c.Provisional, Duration: took,
	})
}

// verdict sums up the attempts of a case.
func verdict(attempts []attempt) (outcome Outcome, reason string) {
	var b strings.Builder
	outcome = Unsupported
	for _, a := range attempts {
		if a.notHere == "" {
			outcome = Pass
		} else if outcome != Pass {
			reason = a.notHere
		}
	}
	if outcome == Unsupported {
		return outcome, reason
	}
	for _, a := range attempts {
		for _, f := range a.failures {
			outcome = Fail
			fmt.Fprintf(&b, "\n  mode  %s\n  what  %s\n  got   %s\n  want  %s", a.mode, f.What, f.Got, f.Want)
			if f.Where != "" {
				b.WriteString("\n  at    " + f.Where)
			}
		}
		if a.broken != "" && outcome == Pass {
			outcome = Error
			fmt.Fprintf(&b, "\n  mode  %s\n  error %s", a.mode, a.broken)
		}
	}
	return outcome, strings.TrimPrefix(b.String(), "\n")
}

// sortResults puts the results, of which some came late, in the order of the contract.
func (s *suite) sortResults() {
	rank := map[string]int{}
	for i, c := range Cases() {
		rank[c.ID] = i
	}
	slices.SortFunc(s.report.Results, func(a, b Result) int { return rank[a.ID] - rank[b.ID] })
}
