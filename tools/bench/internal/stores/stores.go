// Package stores measures backends whose entries live in a server, in a bucket or in
// files.
package stores

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

var ctx = context.Background()

// Kind is a kind of store with its clients.
type Kind struct {
	Missing func() string // says why there is none here, and nothing if there is; nil if there always is
	Start   func() (addr string, stop func(), err error)
	Peers   []Peer
	slow    bool // a call takes milliseconds: few entries and rounds
}

// Peer is one client.
type Peer struct {
	Name    string
	Lacks   string // what it does not offer, or does beyond the others
	Ours    bool
	Callers int      // most at a time; 0 for any number
	Skips   []string // operations that it is not measured with
	open    func(addr string) (store, error)
}

// store is an open peer. A miss is an error. A function that is nil is not measured.
type store struct {
	get        func(key string) ([]byte, error)
	set        func(key string, value []byte) error
	getMany    func(keys []string) (found int, err error)     // values stay in the peer's own form
	setMany    func(keys []string, value []byte) func() error // prepares what the caller would have at hand
	deleteMany func(keys []string) (found int, err error)
	clear      func() error
	loop       func(op string, calls int) error // instead of all others: another process makes the calls
	close      func()
}

// Case is what a store is asked.
type Case struct {
	op, size string
	callers  int // at a time
	keys     int // of a batch
	bytes    int // of a value
	entries  int // in the store before; 0 for a few
}

// Get and Set read and replace values, by so many callers at a time.
func Get(callers int) Case { return calls("get", callers) }
func Set(callers int) Case { return calls("set", callers) }

func calls(op string, callers int) Case {
	return Case{op: op, size: fmt.Sprintf("callers=%d", callers), callers: callers, bytes: workload.ValueSize}
}

// GetMany, SetMany and DeleteMany are batches of so many keys.
func GetMany(keys int) Case    { return batch("getmany", keys) }
func SetMany(keys int) Case    { return batch("setmany", keys) }
func DeleteMany(keys int) Case { return batch("deletemany", keys) }

func batch(op string, keys int) Case {
	return Case{op: op, size: fmt.Sprintf("keys=%d", keys), callers: 1, keys: keys, bytes: workload.ValueSize}
}

// Create stores keys that are absent, Open opens the store and writes once, and Clear
// empties it. The store holds so many entries before.
func Create(entries int) Case { return filled("create", entries) }
func Open(entries int) Case   { return filled("open", entries) }
func Clear(entries int) Case  { return filled("clear", entries) }

func filled(op string, entries int) Case {
	return Case{op: op, size: "entries=" + workload.Count(entries), callers: 1, bytes: workload.ValueSize, entries: entries}
}

// Of returns the case with values of so many bytes.
func (c Case) Of(bytes int) Case {
	c.bytes, c.size = bytes, "bytes="+workload.Size(bytes)
	return c
}

// resident returns the keys that are present: not so many that large values fill the
// store.
func (k Kind) resident(c Case) []string {
	least := min(256, 64<<20/c.bytes)
	if k.slow {
		least = 8
	}
	return workload.Keys(0, max(c.keys, c.entries, least))
}

// Series returns the measurements of cases.
func (k Kind) Series(group string, cases ...Case) []measure.Series {
	var all []measure.Series
	for _, c := range cases {
		s := measure.Series{Name: group + "/" + c.op + "/" + c.size, Missing: k.Missing, Heavy: c.entries > 10_000}
		if c.entries > 0 || k.slow {
			s.MaxRounds = 3
		}
		var addr string
		s.Setup = func() (release func(), err error) {
			addr, release, err = k.Start()
			return release, err
		}
		for _, p := range k.Peers {
			if p.Callers > 0 && c.callers > p.Callers || slices.Contains(p.Skips, c.op) {
				continue
			}
			s.Lanes = append(s.Lanes, measure.Lane{Peer: p.Name, Lacks: p.Lacks, Ours: p.Ours, Open: func() (func(b bench), func(), error) {
				return openRun(p, addr, c, k.resident(c))
			}})
		}
		all = append(all, s)
	}
	return all
}

// openRun connects p to a store that has all keys.
func openRun(p Peer, addr string, c Case, keys []string) (run func(bench), close func(), err error) {
	s, err := p.open(addr)
	if err != nil {
		return nil, nil, err
	}
	if s.loop != nil {
		return func(b bench) { runElsewhere(b, s, c.op) }, s.close, nil
	}
	value := make([]byte, c.bytes)
	if err := fill(s, keys, value); err != nil {
		s.close()
		return nil, nil, err
	}
	switch c.op {
	case "deletemany":
		return func(b bench) { runDeleteMany(b, s, c.keys, value) }, s.close, nil
	case "create":
		return runCreate(s, len(keys), value, c.entries > 0), s.close, nil
	case "clear":
		return func(b bench) { runClear(b, s, keys, value) }, s.close, nil
	case "open":
		s.close()
		return func(b bench) { runOpen(b, p, addr, keys[0], value) }, func() {}, nil
	}
	step := stepOf(s, c, keys, value)
	return func(b bench) { runCallers(b, c.callers, step) }, s.close, nil
}

// fillLimit bounds the time in which a store is filled. A slow disk has no place in
// the largest sizes.
const fillLimit = 90 * time.Second

func fill(s store, keys []string, value []byte) error {
	if s.setMany != nil && len(keys) < 10_000 {
		return s.setMany(keys, value)()
	}
	start := time.Now()
	for i, key := range keys {
		if err := s.set(key, value); err != nil {
			return err
		}
		if i%1000 == 0 && time.Since(start) > fillLimit {
			return fmt.Errorf("stored %d of %d entries in %v", i, len(keys), fillLimit)
		}
	}
	return nil
}

// stepOf returns the call to measure.
func stepOf(s store, c Case, keys []string, value []byte) func(i int) error {
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
		return func(int) error { return foundAll(c.keys)(s.getMany(keys[:c.keys])) }
	default:
		setMany := s.setMany(keys[:c.keys], value)
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
