package conformance

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// never is the end of an entry that does not expire.
var never = time.Unix(1<<40, 0)

// expected is what the model knows of one entry. It expires between earliest and
// latest: no test knows when a write has begun to count, and stores round.
type expected struct {
	value            string
	sample           sample // what value was made of
	earliest, latest time.Time
	long             bool // its TTL is so long that a store may shorten it
}

// model runs generated steps on a store and predicts what each of them returns.
type model struct {
	t       *attempt
	handles []*handle // a second one if the store can be shared
	entries map[string]expected
	leases  map[string]knownLease
	tokens  map[string]string // the last token of each key
	runs    int
}

// mismatch is a result that the model did not predict.
type mismatch struct {
	got, want string
	panicked  bool
}

func (t *attempt) newModel() *model {
	handles := t.handles()
	return &model{t: t, handles: handles[:min(len(handles), 2)]}
}

// run executes steps on keys that no earlier run has used. It returns nil, or the steps
// up to the first that returned another result than expected.
func (m *model) run(steps []step) ([]step, *mismatch) {
	m.runs++
	m.entries, m.leases, m.tokens = map[string]expected{}, map[string]knownLease{}, map[string]string{}
	for i := range steps {
		m.chooseOld(&steps[i])
		if bad := m.do(steps[i]); bad != nil {
			return steps[:i+1], bad
		}
	}
	return nil, nil
}

// handle returns the handle of s, with the keys of this run.
func (m *model) handle(s step) *handle {
	h := *m.handles[s.by]
	h.prefix += m.runPrefix()
	return &h
}

// runPrefix has the same length in every run, because keys have a limit.
func (m *model) runPrefix() string { return fmt.Sprintf("%06d.", m.runs) }

// do executes s and compares its result with the prediction.
func (m *model) do(s step) (bad *mismatch) {
	m.t.step(s.keys...)
	defer func() {
		if p := recover(); p != nil {
			if _, stopped := p.(stop); stopped {
				panic(p)
			}
			bad = &mismatch{fmt.Sprintf("panic: %v\n%s", p, debug.Stack()), "no panic", true}
		}
	}()
	switch s.verb {
	case "pass":
		if s.wait > 2*time.Hour && m.t.suite.slowBubble.Load() {
			return nil // a month of ticks may take minutes
		}
		m.t.pass(s.wait)
		return nil
	case "Reopen":
		m.reopen(s.by)
		return nil
	case "Set", "SetMany":
		return m.set(s)
	case "Add":
		return m.add(s)
	case "Inc":
		return m.inc(s)
	case "Clear", "ClearPrefix":
		return m.clear(s)
	case "Scan":
		return m.scan(s)
	case "Lease":
		return m.lease(s)
	case "Fill":
		return m.fill(s)
	case "Release":
		return m.release(s)
	case "CompareAndSwap":
		return m.swap(s)
	}
	return m.observe(s)
}

// reopen closes a handle and opens another one in its place.
func (m *model) reopen(by int) {
	for key := range m.leases {
		m.doubtLease(key) // a store may end the leases of a handle that is closed
	}
	if by == 0 {
		m.t.reopen()
		m.handles[0] = m.t.handle
		return
	}
	m.t.must("Close before reopening", m.handles[by].cache.Close())
	m.handles[by] = m.t.reopened()
}

// during executes call and returns the time by the store's clock before and after it.
func (m *model) during(call func()) (began, ended time.Time) {
	began = m.t.now()
	call()
	return began, m.t.now()
}

// life returns an entry that was written at a moment between began and ended.
func (m *model) life(v sample, ttl time.Duration, began, ended time.Time) expected {
	value := string(v.bytes())
	if ttl == 0 {
		return expected{value, v, never, never, false}
	}
	return expected{value, v, began.Add(ttl), ended.Add(ttl + m.t.resolution()), ttl >= 10*year}
}

// put notes that key was stored, which ends its lease.
func (m *model) put(key string, e expected) {
	m.entries[key] = e
	delete(m.leases, key)
}

// remove notes that key was removed, which ends its lease.
func (m *model) remove(key string) {
	delete(m.entries, key)
	delete(m.leases, key)
}

// may reports whether key can be present, and whether it can be absent, at a moment
// between began and ended.
func (m *model) may(key string, began, ended time.Time) (present, absent bool) {
	e, exists := m.entries[key]
	return exists && began.Before(e.latest), !exists || !ended.Before(e.earliest)
}

func (m *model) set(s step) *mismatch {
	var err error
	began, ended := m.during(func() {
		if s.verb == "Set" {
			err = m.handle(s).Set(m.t.ctx, s.keys[0], s.value.bytes(), s.ttl)
			return
		}
		items := map[string]string{}
		for i, key := range s.keys {
			items[key] = string(s.valueOf(i).bytes())
		}
		err = m.handle(s).SetMany(m.t.ctx, items, s.ttl)
	})
	if m.tooLarge(s.value) {
		// The old value or nothing is left.
		if e, exists := m.entries[s.keys[0]]; exists {
			e.earliest = time.Time{}
			m.entries[s.keys[0]] = e
		}
		m.doubtLease(s.keys[0])
		return m.mustBe(err, driver.ErrTooLarge)
	}
	for i, key := range s.keys {
		m.put(key, m.life(s.valueOf(i), s.ttl, began, ended))
	}
	return m.mustBe(err, nil)
}

func (m *model) tooLarge(v sample) bool {
	limit := m.t.harness.Limits.MaxValue
	return limit != 0 && v.length() > limit
}

// mustBe compares an error with the expected one.
func (m *model) mustBe(err, want error) *mismatch {
	switch {
	case errors.Is(err, want):
		return nil
	case isOutage(err):
		m.t.giveUp(err.Error())
	case want == nil:
		return &mismatch{got: show(err), want: "no error"}
	case err == nil:
		return &mismatch{got: "no error", want: fmt.Sprintf("an error that wraps %q", want)}
	}
	return &mismatch{got: show(err), want: fmt.Sprintf("an error that wraps %q", want)}
}

func (m *model) add(s step) *mismatch {
	key, value := s.keys[0], s.value.bytes()
	var added bool
	var err error
	began, ended := m.during(func() { added, err = m.handle(s).Add(m.t.ctx, key, value, s.ttl) })
	if bad := m.mustBe(err, nil); bad != nil {
		return bad
	}
	present, absent := m.may(key, began, ended)
	if added && !absent || !added && !present {
		return &mismatch{got: fmt.Sprint(added), want: fmt.Sprint(!added) + m.because(key)}
	}
	if added {
		m.put(key, m.life(s.value, s.ttl, began, ended))
	}
	return nil
}

// because says what the model knows of key.
func (m *model) because(key string) string {
	e, exists := m.entries[key]
	now := m.t.now()
	switch {
	case !exists:
		return fmt.Sprintf(", because %s is absent", keyCode(key))
	case e.earliest == never:
		return fmt.Sprintf(", because %s holds %s and never expires", keyCode(key), show(e.value))
	case !now.Before(e.latest):
		return fmt.Sprintf(", because %s has expired", keyCode(key))
	}
	return fmt.Sprintf(", because %s holds %s and expires in %v", keyCode(key), show(e.value), e.earliest.Sub(now))
}

// counted is a possible result of Inc.
type counted struct {
	sum  int64
	err  error
	next expected // the entry afterwards
}

func (m *model) inc(s step) *mismatch {
	key := s.keys[0]
	var sum int64
	var err error
	began, ended := m.during(func() { sum, err = m.handle(s).Inc(m.t.ctx, key, s.delta, s.ttl) })
	if isOutage(err) {
		return m.mustBe(err, nil)
	}
	possible := m.counts(key, s, began, ended)
	want := m.describe(possible) + m.because(key)
	possible = slices.DeleteFunc(possible, func(c counted) bool {
		return (c.err == nil) != (err == nil) || !errors.Is(err, c.err) || err == nil && sum != c.sum
	})
	switch {
	case len(possible) == 0 && err != nil:
		return &mismatch{got: show(err), want: want}
	case len(possible) == 0:
		return &mismatch{got: fmt.Sprint(sum), want: want}
	case err == nil:
		e := possible[0].next
		for _, other := range possible[1:] {
			e.latest, e.long = later(e.latest, other.next.latest), e.long || other.next.long
		}
		m.put(key, e)
	default:
		m.doubtLease(key)
	}
	return nil
}

// counts returns what Inc may do: go on from the entry, start anew, or either.
func (m *model) counts(key string, s step, began, ended time.Time) (possible []counted) {
	present, absent := m.may(key, began, ended)
	if present {
		e := m.entries[key]
		sum, err := driver.AddInteger([]byte(e.value), s.delta)
		if err == nil {
			err = m.belowCounterMin(sum)
		}
		e.sample = sample{text: fmt.Sprint(sum)}
		e.value = e.sample.text
		possible = append(possible, counted{sum, err, e})
	}
	if absent {
		next := m.life(sample{text: fmt.Sprint(s.delta)}, s.ttl, began, ended)
		possible = append(possible, counted{s.delta, m.belowCounterMin(s.delta), next})
	}
	for i := range possible {
		if possible[i].err != nil {
			possible[i].err = driver.ErrNotInteger
		}
	}
	return possible
}

func (m *model) describe(possible []counted) string {
	var list []string
	for _, c := range possible {
		if c.err != nil {
			list = append(list, show(c.err))
		} else {
			list = append(list, fmt.Sprint(c.sum))
		}
	}
	return strings.Join(list, " or ")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (m *model) belowCounterMin(n int64) error {
	if lowest := m.t.harness.Limits.CounterMin; lowest != nil && n < *lowest {
		return driver.ErrNotInteger
	}
	return nil
}

func (m *model) clear(s step) *mismatch {
	h := m.handle(s)
	if s.verb == "Clear" {
		clear(m.entries)
		clear(m.leases)
		return m.mustBe(h.Clear(m.t.ctx), nil)
	}
	hasPrefix := func(key string) bool { return strings.HasPrefix(key, s.keys[0]) }
	maps.DeleteFunc(m.entries, func(key string, _ expected) bool { return hasPrefix(key) })
	maps.DeleteFunc(m.leases, func(key string, _ knownLease) bool { return hasPrefix(key) })
	return m.mustBe(h.ClearPrefix(m.t.ctx, s.keys[0]), nil)
}
