package conformance

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// call is one operation on one key, with its result. began and ended are positions
// in the order of all beginnings and ends.
type call struct {
	op           string // get, has, set, add, delete, inc or clear; getmany, setmany and deletemany in a batch
	value        string // written, or read by get
	delta, sum   int64  // of inc
	ok           bool   // found, added or deleted; for inc: no error
	began, ended int64
}

func (c call) String() string {
	result := map[bool]string{true: "ok", false: "no"}[c.ok]
	switch c.op {
	case "inc":
		return fmt.Sprintf("inc(%d) = %d %s", c.delta, c.sum, result)
	case "get", "getmany":
		return fmt.Sprintf("%s() = %q %s", c.op, c.value, result)
	}
	return fmt.Sprintf("%s(%s) = %s", c.op, c.value, result)
}

// absent is the state of an absent key.
const absent = "absent"

// after returns the state that c leaves, and whether c can return what it did on
// a key in state.
func (c call) after(state string) (next string, possible bool) {
	present := state != absent
	switch c.op {
	case "set", "setmany":
		return c.value, true
	case "get", "getmany":
		return state, c.ok == present && (!present || c.value == state)
	case "has":
		return state, c.ok == present
	case "delete", "deletemany":
		return absent, c.ok == present
	case "clear":
		return absent, true
	case "add":
		if present {
			return state, !c.ok
		}
		return c.value, c.ok
	}
	n := int64(0)
	if present {
		var err error
		if n, err = strconv.ParseInt(state, 10, 64); err != nil {
			return state, !c.ok
		}
	}
	return strconv.FormatInt(n+c.delta, 10), c.ok && c.sum == n+c.delta
}

// isLinearizable reports whether some order of the calls explains the results of
// all. A call that ended before another began comes first in such an order. This is
// the search of Wing and Gong with the memory of visited states of Lowe.
func isLinearizable(history []call) bool {
	slices.SortFunc(history, func(a, b call) int { return int(a.began - b.began) })
	search := orderSearch{history: history, done: make([]bool, len(history)), seen: map[string]bool{}}
	return search.from(len(history), absent)
}

type orderSearch struct {
	history []call
	done    []bool
	seen    map[string]bool // fingerprints of dead ends
}

// from reports whether the calls that are left can follow on state.
func (s *orderSearch) from(left int, state string) bool {
	if left == 0 {
		return true
	}
	position := fingerprint(s.done, state)
	if s.seen[position] {
		return false
	}
	s.seen[position] = true
	// A call can be next if it began before the end of every call that is left.
	earliestEnd := int64(1<<63 - 1)
	for i, c := range s.history {
		if s.done[i] {
			continue
		}
		if c.began > earliestEnd {
			break
		}
		earliestEnd = min(earliestEnd, c.ended)
		next, possible := c.after(state)
		if !possible {
			continue
		}
		s.done[i] = true
		if s.from(left-1, next) {
			return true
		}
		s.done[i] = false
	}
	return false
}

func fingerprint(done []bool, state string) string {
	bits := make([]byte, 0, len(done)/8+1+len(state))
	for chunk := range slices.Chunk(done, 64) {
		var word uint64
		for i, is := range chunk {
			if is {
				word |= 1 << i
			}
		}
		bits = binary.LittleEndian.AppendUint64(bits, word)
	}
	return string(bits) + state
}

// linearizable lets 8 clients call one key after the other, and checks that one
// order of the calls explains what each client saw.
func linearizable(t *attempt) {
	span := time.Duration(t.fewer(400)) * time.Millisecond / 2
	begin := time.Now()
	handles := t.handles()
	for round := 0; round < 10 || time.Since(begin) < span; round++ {
		key := fmt.Sprintf("k%d", round)
		if history := t.randomHistory(handles, key); !isLinearizable(history) {
			t.stop("the calls on one key, in the order in which they began", text(listing(history)), text("an order that explains every result"))
		}
		t.delete(key)
	}
}

// randomHistory returns the calls of 8 clients on key, made at once and through all
// handles.
func (t *attempt) randomHistory(handles []*handle, key string) []call {
	const clients, calls = 8, 10
	var moment atomic.Int64
	var mu sync.Mutex
	var history []call
	choices := make([]uint32, clients*calls)
	for i := range choices {
		choices[i] = t.rand.Uint32()
	}
	t.concurrently(clients, func(client int) {
		mine := make([]call, 0, calls)
		for i := range calls {
			n := client*calls + i
			c := t.randomCall(choices[n], n)
			c.began = moment.Add(1)
			t.execute(handles[client%len(handles)], key, &c)
			c.ended = moment.Add(1)
			mine = append(mine, c)
		}
		mu.Lock()
		defer mu.Unlock()
		history = append(history, mine...)
	})
	return history
}

func (t *attempt) randomCall(choice uint32, n int) call {
	ops := []string{"get", "get", "getmany", "has", "set", "set", "setmany", "add", "add", "delete", "deletemany"}
	if t.supports(Counter) {
		ops = append(ops, "inc", "inc")
	}
	if !cannotClear(t) {
		ops = append(ops, "clear")
	}
	return call{op: ops[choice%uint32(len(ops))], value: strconv.Itoa(1000 + n), delta: int64(1 + n%3)}
}

// execute makes the call and records its result in c.
func (t *attempt) execute(h *handle, key string, c *call) {
	var err error
	value := []byte(c.value)
	switch c.op {
	case "get":
		value, c.ok, err = h.Get(t.ctx, key)
		c.value = string(value)
	case "getmany":
		var values [][]byte
		if values, err = h.GetMany(t.ctx, beside, key); err == nil {
			c.value, c.ok = string(values[1]), values[1] != nil
		}
	case "has":
		c.ok, err = h.Has(t.ctx, key)
	case "set":
		c.ok, err = true, h.Set(t.ctx, key, value, time.Hour)
	case "setmany":
		c.ok, err = true, h.SetMany(t.ctx, map[string]string{beside: c.value, key: c.value}, time.Hour)
	case "add":
		c.ok, err = h.Add(t.ctx, key, value, time.Hour)
	case "delete":
		c.ok, err = h.Delete(t.ctx, key)
	case "deletemany":
		var deleted []string
		deleted, err = h.DeleteMany(t.ctx, beside, key)
		c.ok = slices.Contains(deleted, key)
	case "clear":
		c.ok, err = true, h.Clear(t.ctx)
	case "inc":
		c.sum, err = h.Inc(t.ctx, key, c.delta, time.Hour)
		c.ok = err == nil
	}
	t.must(c.op, err)
}

func listing(history []call) string {
	var b strings.Builder
	for _, c := range history {
		fmt.Fprintf(&b, "\n        %3d-%-3d %s", c.began, c.ended, c)
	}
	return b.String()
}
