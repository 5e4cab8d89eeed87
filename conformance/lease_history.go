package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/core/driver"
)

// leaseHistories makes concurrent clients call one key after the other through handles. It
// checks that one order of the calls explains all results. If broken is not nil, its
// connections break meanwhile.
//
// CONFORMANCE_LEASES is the number of histories, such as 1000000, or the duration of the
// run, such as 10m. Without it, the run is short.
func (t *attempt) leaseHistories(handles []*handle, broken *proxied) {
	more, long := t.longRun(os.Getenv("CONFORMANCE_LEASES"))
	if long {
		t.unlimited.Store(true)
	}
	ops := t.leaseOperations(broken != nil)
	for round := 0; more(round); round++ {
		key := fmt.Sprintf("k%d", round)
		if broken == nil {
			key = fmt.Sprintf("k%d", round%100) // with faults, a call may take effect late
		}
		history := t.leaseHistory(key, ops, handles, broken)
		if !isLinearizable(history) {
			t.stop("the calls on one key, in the order in which they began", text(listing(history)), text("an order that explains every result"))
		}
		if broken == nil {
			t.delete(key)
		}
	}
}

// longRun returns whether another history is due, and whether the caller asks for more
// than the default.
func (t *attempt) longRun(asked string) (more func(round int) bool, long bool) {
	if count, err := strconv.Atoi(asked); err == nil {
		return func(round int) bool { return round < count }, true
	}
	span, err := time.ParseDuration(asked)
	if long = err == nil; !long {
		if asked != "" {
			t.giveUp(fmt.Sprintf("CONFORMANCE_LEASES=%q is neither a number nor a duration", asked))
		}
		span = time.Duration(t.fewer(400)) * time.Millisecond / 2
	}
	begin := time.Now()
	return func(round int) bool { return round < 30 || time.Since(begin) < span }, long
}

// leaseOperations returns the operations of the histories, the frequent ones repeatedly.
func (t *attempt) leaseOperations(faults bool) []string {
	ops := []string{"lease", "lease", "lease", "lease", "fill", "fill", "fill", "fill", "get", "get", "set", "add", "delete", "delete", "release"}
	if faults {
		return ops // rules CNT-7 and SWP-5 are about lost replies of the others
	}
	if t.supports(Counter) {
		ops = append(ops, "inc")
	}
	if t.supports(Swap) {
		ops = append(ops, "swap")
	}
	if _, unavailable := t.clearUnavailable(); !unavailable {
		ops = append(ops, "clear")
	}
	return ops
}

// leaseHistory makes concurrent calls of 5 clients on key and returns them.
func (t *attempt) leaseHistory(key string, ops []string, handles []*handle, broken *proxied) []call {
	const clients, calls = 5, 12
	var moment atomic.Int64
	var mu sync.Mutex
	var history []call
	seed := t.rand.Uint64()
	t.concurrently(clients, func(client int) {
		choice := rand.New(rand.NewPCG(seed, uint64(client)))
		last := call{token: "none", value: "0"}
		mine := make([]call, 0, calls)
		for i := range calls {
			if broken != nil && client == 0 && choice.IntN(4) == 0 {
				broken.breakSomething(choice.IntN(3))
			}
			c := call{op: ops[choice.IntN(len(ops))], value: strconv.Itoa(1000 + client*calls + i), delta: 1 + int64(i%3)}
			if c.op == "fill" || c.op == "release" {
				c.token = last.token
			}
			if c.op == "swap" {
				c.old = last.value
			}
			if choice.IntN(2) == 0 {
				runtime.Gosched() // in memory, a client would make all its calls before the next one runs
			}
			h := handles[client%len(handles)]
			switch c.op {
			case "clear":
				c.repeated = true // a scan may find a key twice
			case "delete", "release", "lease":
				c.repeated = broken != nil // a client may send it again, but nothing that stores a value
			}
			c.began = moment.Add(1)
			happened := t.executeLease(h, key, &c)
			c.ended = moment.Add(1)
			if !happened {
				continue
			}
			mine = append(mine, c)
			if c.op == "lease" && c.token != "" {
				last.token = c.token
			}
			if c.ok && (c.op == "get" || c.op == "lease") {
				last.value = c.value
			}
		}
		mu.Lock()
		defer mu.Unlock()
		history = append(history, mine...)
	})
	return history
}

// breakSomething loses a reply or resets the open connections.
func (w proxied) breakSomething(choice int) {
	if choice == 0 {
		w.Drop()
		return
	}
	w.inject(proxy.LostReply)
}

// executeLease makes the call and records its result in c. It reports false if the call
// had no effect because of a fault.
func (t *attempt) executeLease(h *handle, key string, c *call) (happened bool) {
	err := c.through(t.ctx, h, key)
	switch {
	case errors.Is(err, driver.ErrUnknownOutcome):
		c.unknown = true
	case errors.Is(err, driver.ErrUnavailable) && t.supports(Network):
		c.unknown = c.op == "lease" // a client may treat it as a read
		return c.unknown
	default:
		t.must(c.op, err)
	}
	return true
}

// through makes the call on h and records its result.
func (c *call) through(ctx context.Context, h *handle, key string) (err error) {
	value := []byte(c.value)
	switch c.op {
	case "get":
		value, c.ok, err = h.Get(ctx, key)
		c.value = string(value)
	case "getmany":
		var values [][]byte
		if values, err = h.GetMany(ctx, beside, key); err == nil {
			c.value, c.ok = string(values[1]), values[1] != nil
		}
	case "has":
		c.ok, err = h.Has(ctx, key)
	case "set":
		c.ok, err = true, h.Set(ctx, key, value, time.Hour)
	case "setmany":
		c.ok, err = true, h.SetMany(ctx, map[string]string{beside: c.value, key: c.value}, time.Hour)
	case "add":
		c.ok, err = h.Add(ctx, key, value, time.Hour)
	case "delete":
		c.ok, err = h.Delete(ctx, key)
	case "deletemany":
		var deleted []string
		deleted, err = h.DeleteMany(ctx, beside, key)
		c.ok = slices.Contains(deleted, key)
	case "inc":
		c.sum, err = h.Inc(ctx, key, c.delta, time.Hour)
		c.ok = err == nil
	case "swap":
		c.ok, err = h.CompareAndSwap(ctx, key, []byte(c.old), value, time.Hour)
	case "clear":
		c.ok, err = true, h.Clear(ctx)
	case "lease":
		value, c.ok, c.token, err = h.Lease(ctx, key, driver.MaxHold)
		c.value = string(value)
	case "fill":
		c.ok, err = h.Fill(ctx, key, c.token, value, time.Hour)
	case "release":
		c.ok, err = true, h.Release(ctx, key, c.token)
	}
	return err
}
