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

// call is one operation on one key, with what it returned and when: began and
// ended are places in the order of all such moments.
type call struct {
	op           string // get, set, add, delete, inc
	value        string // written, or read by get
	delta, sum   int64  // of inc
	ok           bool   // found, added, deleted; not refused, for inc
	began, ended int64
}

func (c call) String() string {
	answer := map[bool]string{true: "ok", false: "no"}[c.ok]
	switch c.op {
	case "inc":
		return fmt.Sprintf("inc(%d) = %d %s", c.delta, c.sum, answer)
	case "get":
		return fmt.Sprintf("get() = %q %s", c.value, answer)
	}
	return fmt.Sprintf("%s(%s) = %s", c.op, c.value, answer)
}

// absent is the state of a key that is not there.
const absent = "absent"

// after returns the state that c leaves behind, and whether it can have
// returned what it did, done on a key in state.
func (c call) after(state string) (next string, possible bool) {
	there := state != absent
	switch c.op {
	case "set":
		return c.value, true
	case "get":
		return state, c.ok == there && (!there || c.value == state)
	case "delete":
		return absent, c.ok == there
	case "add":
		if there {
			return state, !c.ok
		}
		return c.value, c.ok
	}
	n := int64(0)
	if there {
		var err error
		if n, err = strconv.ParseInt(state, 10, 64); err != nil {
			return state, !c.ok
		}
	}
	return strconv.FormatInt(n+c.delta, 10), c.ok && c.sum == n+c.delta
}

// explained reports whether some order of the calls, in which none comes before
// another that ended before it began, gives each what it returned (Wing and
// Gong's search, remembering where it has been, as Lowe does).
func explained(history []call) bool {
	slices.SortFunc(history, func(a, b call) int { return int(a.began - b.began) })
	done := make([]bool, len(history))
	seen := map[string]bool{}
	var search func(left int, state string) bool
	search = func(left int, state string) bool {
		if left == 0 {
			return true
		}
		place := fingerprint(done, state)
		if seen[place] {
			return false
		}
		seen[place] = true
		// A call can be next if it began before any that is left has ended.
		earliest := int64(1<<63 - 1)
		for i, c := range history {
			if done[i] {
				continue
			}
			if c.began > earliest {
				break
			}
			earliest = min(earliest, c.ended)
			if next, possible := c.after(state); possible {
				done[i] = true
				if search(left-1, next) {
					return true
				}
				done[i] = false
			}
		}
		return false
	}
	return search(len(history), absent)
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

// linearizable lets 8 clients work on one key after the other, and looks whether
// an order explains what each saw.
func linearizable(t *T) {
	const clients, calls = 8, 10
	span := time.Duration(t.fewer(400)) * time.Millisecond / 2
	begin := time.Now()
	for round := 0; round < 10 || time.Since(begin) < span; round++ {
		key := fmt.Sprintf("k%d", round)
		var moment atomic.Int64
		var mu sync.Mutex
		var history []call
		choices := make([]uint32, clients*calls)
		for i := range choices {
			choices[i] = t.rand.Uint32()
		}
		t.Go(clients, func(client int) {
			mine := make([]call, 0, calls)
			for i := range calls {
				n := client*calls + i
				c := t.aCall(choices[n], n)
				c.began = moment.Add(1)
				t.do(key, &c)
				c.ended = moment.Add(1)
				mine = append(mine, c)
			}
			mu.Lock()
			defer mu.Unlock()
			history = append(history, mine...)
		})
		if !explained(history) {
			t.Stop("the calls on one key, in the order in which they began", text(listing(history)), text("an order that explains what each returned"))
		}
		t.Delete(key)
	}
}

func (t *T) aCall(choice uint32, n int) call {
	ops := []string{"get", "get", "set", "add", "delete", "inc"}
	if !t.Can(Counter) {
		ops = ops[:5]
	}
	return call{op: ops[choice%uint32(len(ops))], value: strconv.Itoa(1000 + n), delta: int64(1 + n%3)}
}

func (t *T) do(key string, c *call) {
	var err error
	value := []byte(c.value)
	switch c.op {
	case "get":
		value, c.ok, err = t.try.Get(t.ctx, key)
		c.value = string(value)
	case "set":
		c.ok, err = true, t.try.Set(t.ctx, key, value, time.Hour)
	case "add":
		c.ok, err = t.try.Add(t.ctx, key, value, time.Hour)
	case "delete":
		c.ok, err = t.try.Delete(t.ctx, key)
	case "inc":
		c.sum, err = t.try.Inc(t.ctx, key, c.delta, time.Hour)
		c.ok = err == nil
	}
	t.Ok(c.op, err)
}

func listing(history []call) string {
	var b strings.Builder
	for _, c := range history {
		fmt.Fprintf(&b, "\n        %3d-%-3d %s", c.began, c.ended, c)
	}
	return b.String()
}
