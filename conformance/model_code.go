package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// simpler returns forms of s that may fail in the same way and are easier to read.
func (s step) simpler() (list []step) {
	add := func(change func(s *step)) {
		other := s
		other.keys = slices.Clone(s.keys)
		change(&other)
		list = append(list, other)
	}
	if s.by > 0 {
		add(func(s *step) { s.by = 0 })
	}
	if len(s.keys) > 1 {
		for i := range s.keys {
			add(func(s *step) { s.keys = slices.Delete(s.keys, i, i+1) })
		}
	} else if verb, batch := strings.CutSuffix(s.verb, "Many"); batch {
		add(func(s *step) { s.verb = verb })
	}
	if s.ttl != 0 && s.ttl != time.Hour {
		add(func(s *step) { s.ttl = 0 })
		add(func(s *step) { s.ttl = time.Hour })
	}
	if s.delta != 1 && s.verb == "Inc" {
		add(func(s *step) { s.delta = 1 })
	}
	if s.value.size > 0 {
		add(func(s *step) { s.value = sample{text: "v"} })
		for _, smaller := range []int{s.value.size / 2, s.value.size - s.value.size/8, s.value.size - 1} {
			if smaller > 0 {
				add(func(s *step) { s.value.size = smaller })
			}
		}
	} else if len(s.value.text) > 1 {
		add(func(s *step) { s.value.text = "1" })
	}
	return list
}

// code returns s as Go.
func (s step) code(m mode) string {
	c, ttl := "c", fmt.Sprintf("cache.Timeout(%s)", durationCode(s.ttl))
	if m == bare {
		c, ttl = "b", durationCode(s.ttl)
	}
	if s.by > 0 {
		c += "2"
	}
	list := keyList(s.keys)
	if m == bare && strings.HasSuffix(s.verb, "Many") {
		list = "[]string{" + list + "}"
	}
	switch s.verb {
	case "pass":
		return fmt.Sprintf("time.Sleep(%s)", durationCode(s.wait))
	case "Reopen":
		return fmt.Sprintf("%s.Close(); %s = reopen()", c, c)
	case "Set", "Add":
		return fmt.Sprintf("%s.%s(ctx, %s, %s, %s)", c, s.verb, list, s.value.code(), ttl)
	case "Inc":
		return fmt.Sprintf("%s.Inc(ctx, %s, %d, %s)", c, list, s.delta, ttl)
	case "SetMany":
		items := make([]string, len(s.keys))
		for i, key := range s.keys {
			if items[i] = keyCode(key) + ": " + s.valueOf(i).code(); m == bare {
				items[i] = "{" + keyCode(key) + ", " + s.valueOf(i).code() + "}"
			}
		}
		kind := "map[string][]byte"
		if m == bare {
			kind = "[]driver.Item"
		}
		return fmt.Sprintf("%s.SetMany(ctx, %s{%s}, %s)", c, kind, strings.Join(items, ", "), ttl)
	case "Lease":
		return fmt.Sprintf("lease(%s, %s, %s)", c, list, durationCode(s.wait))
	case "Fill":
		return fmt.Sprintf("%s.Fill(ctx, %s, tokens[%s], %s, %s)", c, list, list, s.value.code(), ttl)
	case "Release":
		return fmt.Sprintf("%s.Release(ctx, %s, tokens[%s])", c, list, list)
	case "CompareAndSwap":
		return fmt.Sprintf("%s.CompareAndSwap(ctx, %s, %s, %s, %s)", c, list, s.old.code(), s.value.code(), ttl)
	case "GetAppend":
		return fmt.Sprintf("%s.GetAppend(ctx, %s, []byte(%q))", c, list, appendedTo)
	case "GetWithTTL", "GetManyWithTTL":
		if m != bare {
			c = fmt.Sprintf("driver.Resolve(%s.Backend())", c)
		}
		if s.verb == "GetManyWithTTL" {
			list = "[]string{" + keyList(s.keys) + "}"
		}
		return fmt.Sprintf("%s.%s(ctx, %s)", c, s.verb, list)
	case "Scan":
		return fmt.Sprintf("for entry, err := range %s.Scan(ctx, %s) { fmt.Println(entry, err) }", c, list)
	case "Clear":
		return c + ".Clear(ctx)"
	case "ClearPrefix":
		if m == bare {
			return fmt.Sprintf("%s.ClearPrefix(ctx, %s)", c, list)
		}
		return fmt.Sprintf("cache.New(%s.Backend(), cache.WithPrefix(prefix+%s)).Clear(ctx)", c, list)
	}
	return fmt.Sprintf("%s.%s(ctx, %s)", c, s.verb, list)
}

func keyList(keys []string) string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = keyCode(key)
	}
	return strings.Join(list, ", ")
}

func keyCode(key string) string {
	if len(key) > 40 {
		return fmt.Sprintf("strings.Repeat(%q, %d)", key[:1], len(key))
	}
	return strconv.Quote(key)
}

func durationCode(d time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		code string
	}{{time.Hour, "time.Hour"}, {time.Second, "time.Second"}, {time.Millisecond, "time.Millisecond"}, {1, "time.Nanosecond"}} {
		if d == unit.d {
			return unit.code
		}
		if d != 0 && d%unit.d == 0 {
			return fmt.Sprintf("%d*%s", d/unit.d, unit.code)
		}
	}
	return "0"
}
