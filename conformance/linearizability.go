package conformance

import (
	"encoding/binary"
	"fmt"
	"math"
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
	op           string // get, has, set, add, delete, inc, clear, swap, lease, fill or release; getmany, setmany and deletemany in a batch
	value        string // written, or read by get or lease
	old          string // of swap
	token        string // given to fill or release, or returned by lease
	delta, sum   int64  // of inc
	ok           bool   // found, added, deleted, swapped or filled; for inc: no error
	unknown      bool   // the result was lost; the call may take effect at any time after began
	repeated     bool   // the call may take effect several times, and returns the last result
	began, ended int64
}

func (c call) String() string {
	result := map[bool]string{true: "ok", false: "no"}[c.ok]
	if c.unknown {
		result = "unknown"
	}
	switch c.op {
	case "inc":
		return fmt.Sprintf("inc(%d) = %d %s", c.delta, c.sum, result)
	case "get", "getmany":
		return fmt.Sprintf("%s() = %q %s", c.op, c.value, result)
	case "swap":
		return fmt.Sprintf("swap(%s, %s) = %s", c.old, c.value, result)
	case "lease":
		return fmt.Sprintf("lease() = %q, token %q, %s", c.value, c.token, result)
	case "fill":
		return fmt.Sprintf("fill(%s, token %q) = %s", c.value, c.token, result)
	case "release":
		return fmt.Sprintf("release(token %q)", c.token)
	}
	return fmt.Sprintf("%s(%s) = %s", c.op, c.value, result)
}

// absent is the state of an absent key that is not leased. The state of a leased key is
// leasedTo and the token. The state of a present key is its value, an integer.
const (
	absent   = "absent"
	leasedTo = absent + ", leased to "
)

// after returns the state that c leaves, and whether c can return what it did on
// a key in state.
func (c call) after(state string) (next string, possible bool) {
	present := !strings.HasPrefix(state, absent)
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
	case "swap":
		if !present || state != c.old {
			return state, !c.ok
		}
		return c.value, c.ok
	case "lease":
		if state != absent {
			return state, c.token == "" && c.ok == present && (!present || c.value == state)
		}
		return leasedTo + c.token, c.token != ""
	case "fill":
		if state != leasedTo+c.token {
			return state, !c.ok
		}
		return c.value, c.ok
	case "release":
		if state == leasedTo+c.token {
			return absent, true
		}
		return state, true
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

// repeatedAfter returns the state that c leaves if it takes effect once more than it
// returns.
func (c call) repeatedAfter(state string) string {
	if c.op == "lease" {
		c.token = "lost"
	}
	if next, _ := c.after(state); c.repeated {
		return next
	}
	return state
}

// isLinearizable reports whether some order of the calls explains the results of
// all. A call that ended before another began comes first in such an order. This is
// the search of Wing and Gong with the memory of visited states of Lowe.
func isLinearizable(history []call) bool {
	slices.SortFunc(history, func(a, b call) int { return int(a.began - b.began) })
	search := orderSearch{history: history, done: make([]bool, len(history)), seen: map[string]bool{}}
	known := 0
	for i, c := range history {
		if c.unknown {
			history[i].ended = math.MaxInt64
			continue
		}
		known++
	}
	return search.from(known, absent)
}

type orderSearch struct {
	history []call
	done    []bool
	seen    map[string]bool // fingerprints of dead ends
}

// from reports whether the calls that are left can follow on state. Calls with an unknown
// result need not take effect, and are not counted.
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
	earliestEnd := int64(math.MaxInt64)
	for i, c := range s.history {
		if s.done[i] {
			continue
		}
		if c.began > earliestEnd {
			break
		}
		earliestEnd = min(earliestEnd, c.ended)
		if early := c.repeatedAfter(state); early != state && s.from(left, early) {
			return true
		}
		next, possible := c.after(state)
		if c.unknown && next != state {
			s.done[i] = true
			if s.from(left, next) {
				return true
			}
			s.done[i] = false
			continue
		}
		if !possible || c.unknown {
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
	t.must(c.op, c.through(t.ctx, h, key))
}

// listing returns the calls, four in a line.
func listing(history []call) string {
	var b strings.Builder
	for i, c := range history {
		if i%4 == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%-31s ", fmt.Sprintf("%d-%d %s", c.began, c.ended, c))
	}
	return b.String()
}
