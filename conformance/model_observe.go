package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// appendedTo is the dst of GetAppend.
const appendedTo = "dst:"

// observe executes a step that stores nothing and checks each of its keys.
func (m *model) observe(s step) *mismatch {
	h, ctx := m.handle(s), m.t.ctx
	found := make([]bool, len(s.keys))
	var values [][]byte
	var ttls []time.Duration
	var err error
	began, ended := m.during(func() {
		switch s.verb {
		case "Get":
			values = make([][]byte, 1)
			values[0], found[0], err = h.Get(ctx, s.keys[0])
		case "GetMany":
			values, err = h.GetMany(ctx, s.keys...)
		case "GetAppend":
			values = make([][]byte, 1)
			values[0], found[0], err = h.GetAppend(ctx, s.keys[0], []byte(appendedTo))
		case "GetWithTTL":
			values, ttls = make([][]byte, 1), make([]time.Duration, 1)
			values[0], ttls[0], found[0], err = h.GetWithTTL(ctx, s.keys[0])
		case "GetManyWithTTL":
			values, ttls, err = h.GetManyWithTTL(ctx, s.keys...)
		case "Has":
			found[0], err = h.Has(ctx, s.keys[0])
		case "TTL":
			ttls = make([]time.Duration, 1)
			ttls[0], found[0], err = h.TTL(ctx, s.keys[0])
		case "Delete":
			found[0], err = h.Delete(ctx, s.keys[0])
		case "DeleteMany":
			var deleted []string
			deleted, err = h.DeleteMany(ctx, s.keys...)
			for i, key := range s.keys {
				found[i] = slices.Contains(deleted, key)
			}
		}
	})
	if bad := m.mustBe(err, nil); bad != nil {
		return bad
	}
	switch s.verb {
	case "GetAppend":
		rest, kept := bytes.CutPrefix(values[0], []byte(appendedTo))
		if !kept || !found[0] && len(rest) > 0 {
			return &mismatch{got: show(values[0]), want: show(appendedTo) + ", followed by the value if it is present"}
		}
		values[0] = rest
	case "GetMany", "GetManyWithTTL":
		if len(values) != len(s.keys) || ttls != nil && len(ttls) != len(s.keys) {
			return &mismatch{got: fmt.Sprintf("%d results", len(values)), want: fmt.Sprintf("%d results", len(s.keys))}
		}
		for i, value := range values {
			found[i] = value != nil
		}
	}
	for i, key := range s.keys {
		if bad := m.found(key, found[i], began, ended); bad != nil {
			return bad
		}
		if e := m.entries[key]; found[i] && values != nil && string(values[i]) != e.value {
			return &mismatch{got: show(values[i]), want: show(e.value) + " of " + keyCode(key)}
		}
	}
	for i, left := range ttls {
		if !found[i] {
			continue
		}
		if bad := m.left(s, s.keys[i], left, began, ended); bad != nil {
			return bad
		}
	}
	if strings.HasPrefix(s.verb, "Delete") {
		for _, key := range s.keys {
			m.remove(key)
		}
	}
	return nil
}

// found checks whether key may be present, or absent.
func (m *model) found(key string, found bool, began, ended time.Time) *mismatch {
	present, absent := m.may(key, began, ended)
	switch {
	case found && !present:
		return &mismatch{got: keyCode(key) + " is present", want: "absent" + m.because(key)}
	case !found && !absent:
		return &mismatch{got: keyCode(key) + " is absent", want: "present" + m.because(key)}
	}
	return nil
}

// left checks a remaining TTL.
func (m *model) left(s step, key string, left time.Duration, began, ended time.Time) *mismatch {
	e := m.entries[key]
	// A store with a coarse clock rounds again when it reads the remaining TTL.
	least, most := max(0, e.earliest.Sub(ended)), e.latest.Add(m.t.resolution()).Sub(began)
	if s.verb != "TTL" { // never longer than the entry is present, so that it may be rounded down
		least = max(0, least-ended.Sub(began)-m.t.resolution())
	}
	if e.long { // the store may shorten it, or not let the entry expire
		least = min(least, 10*year) - day
	}
	switch {
	case left == 0 && (e.latest == never || e.long):
		return nil
	case e.earliest == never:
		return &mismatch{got: left.String(), want: "0" + m.because(key)}
	case left == 0:
		return &mismatch{got: "0, which means that it never expires", want: fmt.Sprintf("more than 0, at most %v", most) + m.because(key)}
	case left < least || left > most:
		return &mismatch{got: left.String(), want: fmt.Sprintf("%v to %v", least, most) + m.because(key)}
	}
	return nil
}

// scan lists the entries with a prefix and checks each of them, and those that are missing.
func (m *model) scan(s step) *mismatch {
	listed := map[string]driver.Entry{}
	var err error
	var again string
	began, ended := m.during(func() {
		for entry, scanErr := range m.handle(s).Scan(m.t.ctx, s.keys[0]) {
			if err = scanErr; err != nil {
				return
			}
			if _, twice := listed[entry.Key]; twice {
				again = entry.Key
			}
			listed[entry.Key] = entry
		}
	})
	if bad := m.mustBe(err, nil); bad != nil {
		return bad
	}
	if again != "" {
		return &mismatch{got: keyCode(again) + " twice", want: "once"}
	}
	for key := range m.entries {
		if _, found := listed[key]; !found && strings.HasPrefix(key, s.keys[0]) {
			if bad := m.found(key, false, began, ended); bad != nil {
				return bad
			}
		}
	}
	for key, entry := range listed {
		if bad := m.found(key, true, began, ended); bad != nil {
			return bad
		}
		if size := int64(len(m.entries[key].value)); entry.Size != size && entry.Size != -1 {
			return &mismatch{got: fmt.Sprintf("%d bytes of %s", entry.Size, keyCode(key)), want: fmt.Sprintf("%d bytes, or -1", size)}
		}
		if bad := m.left(s, key, entry.TTL, began, ended); bad != nil {
			return bad
		}
	}
	return nil
}
