package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	// residentKeys is how many keys are read, and replaced, in turn.
	residentKeys = 256

	// batchKeys is how many of them a batch has.
	batchKeys = 100

	// mostKeys is how many any case has, from the first on.
	mostKeys = 10_000
)

// remotePeer is one way to keep values in a server.
type remotePeer struct {
	name    string
	lacks   string
	callers int  // most at a time; 0 for any number
	batches bool // has batches to measure
	open    func(addr string) (remoteStore, error)
}

// remoteStore is an open peer. A miss is an error.
type remoteStore struct {
	get        func(key string) ([]byte, error)
	set        func(key string, value []byte) error
	getMany    func(keys []string) (found int, err error)     // values stay in the peer's own form
	setMany    func(keys []string, value []byte) func() error // prepares what the caller would have at hand
	deleteMany func(keys []string) (found int, err error)     // nil where it is not compared
	loop       func(op string, calls int) error               // instead of all others: another process makes the calls
	close      func()
}

// remote is a kind of server with those who speak to it.
type remote struct {
	group   string
	missing string // why there is no server; empty where there is
	start   func() (addr string, stop func(), err error)
	peers   []remotePeer
}

// remoteCase is what is asked of a server.
type remoteCase struct {
	op      string // get, set, or the many of them
	callers int    // at a time
	batch   int    // keys of one of the many
	bytes   int    // of a value
}

// call and batch are the cases of the comparisons.
func call(op string, callers int) remoteCase { return remoteCase{op, callers, batchKeys, valueSize} }
func batch(op string) remoteCase             { return call(op, 1) }

func (c remoteCase) isBatch() bool { return strings.HasSuffix(c.op, "many") }

// keys returns those that the server has: not so many that large values fill it.
func (c remoteCase) keys() []string {
	return makeKeys(0, max(c.batch, min(residentKeys, 64<<20/c.bytes)))
}

// series compare single calls, of so many callers at a time, and batches of one
// caller.
func (r remote) series(batches ...string) []series {
	var all []series
	for _, callers := range []int{1, 16, 64} {
		all = append(all, r.calls("get", callers), r.calls("set", callers))
	}
	for _, op := range batches {
		all = append(all, r.batches(op))
	}
	return all
}

func (r remote) calls(op string, callers int) series {
	return r.seriesOf(r.group, op, "callers="+strconv.Itoa(callers), call(op, callers))
}

func (r remote) batches(op string) series {
	return r.seriesOf(r.group, op, "keys="+strconv.Itoa(batchKeys), batch(op))
}

func (r remote) seriesOf(group, name, size string, c remoteCase) series {
	s := series{group: group, name: name, size: size, missing: r.missing}
	var addr string
	var stop func()
	s.prepare = func() (err error) {
		addr, stop, err = r.start()
		return err
	}
	s.release = func() { stop() }
	for _, p := range r.peers {
		if !p.batches && c.isBatch() || p.callers > 0 && c.callers > p.callers {
			continue
		}
		s.lanes = append(s.lanes, lane{p.name, func() (func(*testing.B), func(), error) {
			return openRemoteRun(p, addr, c)
		}})
	}
	return s
}

// openRemoteRun connects p to a server that has all its keys.
func openRemoteRun(p remotePeer, addr string, c remoteCase) (run func(*testing.B), close func(), err error) {
	s, err := p.open(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	if s.loop != nil {
		return func(b *testing.B) { runElsewhere(b, s, c.op) }, s.close, nil
	}
	keys, value := c.keys(), make([]byte, c.bytes)
	for _, key := range keys {
		if err := s.set(key, value); err != nil {
			s.close()
			return nil, nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if c.op == "deletemany" {
		return func(b *testing.B) { runDeleteMany(b, s, value) }, s.close, nil
	}
	step := remoteStep(s, c, keys, value)
	return func(b *testing.B) { runCallers(b, c.callers, step) }, s.close, nil
}

// remoteStep returns the call to measure.
func remoteStep(s remoteStore, c remoteCase, keys []string, value []byte) func(i int) error {
	switch c.op {
	case "get":
		return func(i int) error {
			got, err := s.get(keys[i%len(keys)])
			if err == nil && len(got) != len(value) {
				err = fmt.Errorf("%d of %d bytes", len(got), len(value))
			}
			return err
		}
	case "set":
		return func(i int) error { return s.set(keys[i%len(keys)], value) }
	case "getmany":
		return func(int) error { return foundAll(c.batch)(s.getMany(keys[:c.batch])) }
	default:
		setMany := s.setMany(keys[:c.batch], value)
		return func(int) error { return setMany() }
	}
}

func foundAll(want int) func(found int, err error) error {
	return func(found int, err error) error {
		if err == nil && found != want {
			err = fmt.Errorf("%d of %d keys", found, want)
		}
		return err
	}
}

// runElsewhere waits for what another process does.
func runElsewhere(b *testing.B, s remoteStore, op string) {
	b.ResetTimer()
	if err := s.loop(op, b.N); err != nil {
		fail(b, err)
	}
	b.ReportMetric(elsewhere, allocsUnit)
}

// runDeleteMany deletes a batch of other keys each time: all are there.
func runDeleteMany(b *testing.B, s remoteStore, value []byte) {
	keys := makeKeys(residentKeys, b.N*batchKeys)
	batch := func(i int) []string { return keys[i*batchKeys:][:batchKeys] }
	for i := range b.N {
		if err := s.setMany(batch(i), value)(); err != nil {
			fail(b, err)
		}
	}
	runCallers(b, 1, func(i int) error { return foundAll(batchKeys)(s.deleteMany(batch(i - 1))) })
}

// runCallers makes b.N calls, each by the first of so many goroutines that is
// free. Where there are very many, it takes some at a time.
func runCallers(b *testing.B, callers int, call func(i int) error) {
	var taken atomic.Int64
	var done sync.WaitGroup
	failed := make([]error, callers)
	some := min(max(b.N/(64*callers), 1), 64)
	b.ReportAllocs()
	b.ResetTimer()
	for caller := range callers {
		done.Go(func() {
			for failed[caller] == nil {
				last := int(taken.Add(int64(some)))
				if last-some >= b.N {
					return
				}
				for i := last - some + 1; i <= min(last, b.N) && failed[caller] == nil; i++ {
					failed[caller] = call(i)
				}
			}
		})
	}
	done.Wait()
	if err := errors.Join(failed...); err != nil {
		fail(b, err)
	}
}
