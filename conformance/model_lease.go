package conformance

import (
	"fmt"
	"time"
)

// knownLease is what the model knows of a lease. It ends between earliest and latest.
type knownLease struct {
	earliest, latest time.Time
	doubtful         bool // it may have ended already
}

// mayBe reports whether key can be leased, and whether it can be free, at a moment
// between began and ended.
func (m *model) mayBe(key string, began, ended time.Time) (leased, free bool) {
	l, exists := m.leases[key]
	return exists && began.Before(l.latest), !exists || l.doubtful || !ended.Before(l.earliest)
}

// doubtLease notes that the lease of key may have ended.
func (m *model) doubtLease(key string) {
	if l, exists := m.leases[key]; exists {
		l.doubtful = true
		m.leases[key] = l
	}
}

// becauseOfLease says what the model knows of the lease of key.
func (m *model) becauseOfLease(key string) string {
	switch l, exists := m.leases[key]; {
	case !exists:
		return m.because(key) + " and not leased"
	case !m.t.now().Before(l.latest):
		return m.because(key) + " and its lease has ended"
	}
	return m.because(key) + " and leased"
}

func (m *model) lease(s step) *mismatch {
	key := s.keys[0]
	var value []byte
	var ok bool
	var token string
	var err error
	began, ended := m.during(func() { value, ok, token, err = m.handle(s).Lease(m.t.ctx, key, s.wait) })
	if bad := m.mustBe(err, nil); bad != nil {
		return bad
	}
	present, absent := m.may(key, began, ended)
	leased, free := m.mayBe(key, began, ended)
	bad := &mismatch{got: string(leaseText(string(value), ok, token)), want: "another result" + m.becauseOfLease(key)}
	switch {
	case ok && (!present || token != "" || string(value) != m.entries[key].value):
		return bad
	case ok:
		return nil
	case !absent:
		return bad
	case token == "" && leased:
		return nil
	case token == "", !free, token == m.tokens[key]:
		return bad
	}
	delete(m.entries, key) // it has expired
	m.tokens[key] = token
	m.leases[key] = knownLease{earliest: began.Add(s.wait), latest: ended.Add(s.wait + m.t.resolution())}
	return nil
}

// token returns the last token of key.
func (m *model) token(key string) string {
	if token, had := m.tokens[key]; had {
		return token
	}
	return "token"
}

func (m *model) fill(s step) *mismatch {
	key, token := s.keys[0], m.token(s.keys[0])
	var filled bool
	var err error
	began, ended := m.during(func() { filled, err = m.handle(s).Fill(m.t.ctx, key, token, s.value.bytes(), s.ttl) })
	if bad := m.mustBe(err, nil); bad != nil {
		return bad
	}
	leased, free := m.mayBe(key, began, ended)
	if filled && !leased || !filled && !free {
		return &mismatch{got: fmt.Sprint(filled), want: fmt.Sprint(!filled) + m.becauseOfLease(key)}
	}
	delete(m.leases, key)
	if filled {
		m.put(key, m.life(s.value, s.ttl, began, ended))
	}
	return nil
}

func (m *model) release(s step) *mismatch {
	err := m.handle(s).Release(m.t.ctx, s.keys[0], m.token(s.keys[0]))
	delete(m.leases, s.keys[0])
	return m.mustBe(err, nil)
}

// chooseOld gives CompareAndSwap the value that the model expects.
func (m *model) chooseOld(s *step) {
	if e, exists := m.entries[firstOf(s.keys)]; s.match && exists {
		s.old = e.sample
	}
}

func firstOf(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return keys[0]
}

func (m *model) swap(s step) *mismatch {
	key, old := s.keys[0], string(s.old.bytes())
	var swapped bool
	var err error
	began, ended := m.during(func() {
		swapped, err = m.handle(s).CompareAndSwap(m.t.ctx, key, []byte(old), s.value.bytes(), s.ttl)
	})
	if bad := m.mustBe(err, nil); bad != nil {
		return bad
	}
	present, absent := m.may(key, began, ended)
	equal := m.entries[key].value == old
	if swapped && !(present && equal) || !swapped && !absent && equal {
		return &mismatch{got: fmt.Sprint(swapped), want: fmt.Sprint(!swapped) + m.because(key)}
	}
	if swapped {
		m.put(key, m.life(s.value, s.ttl, began, ended))
	}
	return nil
}
