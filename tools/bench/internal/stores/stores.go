// Package stores measures backends whose entries live in a server, in a bucket or in
// files.
package stores

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

var ctx = context.Background()

// Kind is a kind of store with its clients.
type Kind struct {
	Missing func() string // says why there is none here, and nothing if there is; nil if there always is
	Start   func() (addr string, stop func(), err error)
	slow    bool // a call takes milliseconds: few entries and rounds
	peers   []peer
}

type peer struct {
	name  string
	lacks string // what it does not offer, or does beyond the others
	ours  bool
	open  func(addr string) (store, error)
}

// store is an open peer. A miss is an error.
type store struct {
	get         func(key string) ([]byte, error)
	getAppend   func(key string, buffer []byte) ([]byte, error) // into the caller's buffer; nil if the client cannot
	set         func(key string, value []byte) error
	remove      func(key string) error                               // of a present key
	add         func(key string, value []byte) error                 // of an absent key
	ttl         func(key string) error                               // of a present key
	each        func(keys []string, do func(key string) error) error // does what a client without batches does instead
	getMany     func(keys []string) (found int, err error)           // values stay in the peer's own form
	setMany     func(keys []string, value []byte) func() error       // prepares what the caller would have at hand
	deleteMany  func(keys []string) (found int, err error)
	clear       func() error
	clearPrefix func(prefix string) error                        // of files
	measured    func(op string) (nanoseconds float64, err error) // of a call, by another process; instead of all others
	close       func()
}

// hit makes a miss an error.
func hit(value []byte, ok bool, err error) ([]byte, error) {
	if err == nil && !ok {
		err = os.ErrNotExist
	}
	return value, err
}

// done makes a call that found another state than the expected one an error.
func done(ok bool, err error) error {
	_, err = hit(nil, ok, err)
	return err
}

// through measures a backend as programs use it.
func through(b cache.Backend, err error) (store, error) {
	if err != nil {
		return store{}, err
	}
	c := cache.New(b, cache.WithDefaultTimeout(workload.Life))
	return store{
		get: func(key string) ([]byte, error) { return hit(c.Get(ctx, key)) },
		getAppend: func(key string, buffer []byte) ([]byte, error) {
			return hit(c.GetAppend(ctx, key, buffer))
		},
		set:    func(key string, value []byte) error { return c.Set(ctx, key, value) },
		remove: func(key string) error { return done(c.Delete(ctx, key)) },
		add:    func(key string, value []byte) error { return done(c.Add(ctx, key, value)) },
		ttl: func(key string) error {
			_, ok, err := c.TTL(ctx, key)
			return done(ok, err)
		},
		getMany: func(keys []string) (found int, err error) {
			results, err := c.GetMany(ctx, keys...)
			for _, r := range results {
				if r.OK {
					found++
				}
			}
			return found, err
		},
		setMany: func(keys []string, value []byte) func() error {
			items := map[string][]byte{}
			for _, key := range keys {
				items[key] = value
			}
			return func() error { return c.SetMany(ctx, items) }
		},
		deleteMany: func(keys []string) (int, error) {
			deleted, err := c.DeleteMany(ctx, keys...)
			return len(deleted), err
		},
		clear:       func() error { return c.Clear(ctx) },
		clearPrefix: func(prefix string) error { return cache.New(b, cache.WithPrefix(prefix)).Clear(ctx) },
		close:       func() { c.Close() },
	}, nil
}

// singles is a client without batches, which are loops.
func singles(get func(key string) ([]byte, error), set func(key string, value []byte) error, remove func(key string) error, close func()) store {
	loop := func(keys []string, do func(key string) error) error {
		for _, key := range keys {
			if err := do(key); err != nil {
				return err
			}
		}
		return nil
	}
	return store{get: get, set: set, remove: remove, each: loop, close: close}
}

// batches gives a client without batches those that are made of its calls.
func (s store) batches() store {
	if s.each == nil {
		return s
	}
	all := func(keys []string, do func(key string) error) (int, error) {
		if err := s.each(keys, do); err != nil {
			return 0, err
		}
		return len(keys), nil
	}
	if s.getMany == nil {
		s.getMany = func(keys []string) (int, error) {
			return all(keys, func(key string) error { _, err := s.get(key); return err })
		}
	}
	s.setMany = func(keys []string, value []byte) func() error {
		return func() error { return s.each(keys, func(key string) error { return s.set(key, value) }) }
	}
	s.deleteMany = func(keys []string) (int, error) { return all(keys, s.remove) }
	return s
}

// task is what a store is asked.
type task struct {
	op      string // one of those in openRun
	callers int    // at a time
	keys    int    // of a batch
	bytes   int    // of a value
	entries int    // in the store before; 0 for a few
}

// parse reads a task and the one size in which it differs from the least, as
// "get/callers=64" or "set/bytes=4KiB".
func parse(text string) task {
	op, size, _ := strings.Cut(text, "/")
	t := task{op: op, callers: 1, bytes: workload.ValueSize}
	name, number, _ := strings.Cut(size, "=")
	*map[string]*int{"callers": &t.callers, "keys": &t.keys, "bytes": &t.bytes, "entries": &t.entries}[name] = workload.Number(number)
	return t
}

// Series returns the measurements of tasks, which are separated by spaces.
func (k Kind) Series(name string, tasks string) []measure.Series {
	var all []measure.Series
	for text := range strings.FieldsSeq(tasks) {
		t := parse(text)
		s := measure.Series{Name: name + "/" + text, Missing: k.Missing, Heavy: t.entries > 10_000}
		switch { // to fill the store takes longer than to measure
		case t.entries > 10_000:
			s.MaxRounds = 1
		case t.entries > 0 || k.slow:
			s.MaxRounds = 3
		}
		var addr string
		s.Setup = func() (release func(), err error) {
			addr, release, err = k.Start()
			return release, err
		}
		for _, p := range k.peers {
			s.Lanes = append(s.Lanes, measure.Lane{Peer: p.name, Lacks: p.lacks, Ours: p.ours, Open: func() (func(bench), func(), error) {
				return p.openRun(addr, t, k.resident(t))
			}})
		}
		all = append(all, s)
	}
	return all
}

// resident returns the keys that are present: not so many that large values fill the
// store.
func (k Kind) resident(t task) []string {
	least := min(256, 64<<20/t.bytes)
	if k.slow {
		least = 8
	}
	return workload.Keys(0, max(t.keys, t.entries, least))
}

// openRun connects to a store that has all keys.
func (p peer) openRun(addr string, t task, keys []string) (run func(bench), close func(), err error) {
	s, err := p.open(addr)
	if err != nil {
		return nil, nil, err
	}
	if s.measured != nil {
		return func(b bench) {
			ns, err := s.measured(t.op)
			check(b, err)
			b.ReportMetric(ns, measure.OwnTime)
		}, s.close, nil
	}
	s = s.batches()
	value := make([]byte, t.bytes)
	value[0] = 'v' // uwsgi stores NUL bytes alone as others
	if err := fill(s, keys, value); err != nil {
		s.close()
		return nil, nil, err
	}
	run = map[string]func(bench){
		"get": func(b bench) {
			runCallers(b, t.callers, func(i int) error { _, err := s.get(keys[i%len(keys)]); return err })
		},
		"append":  func(b bench) { runAppend(b, s, keys, t.bytes) },
		"set":     func(b bench) { runCallers(b, t.callers, func(i int) error { return s.set(keys[i%len(keys)], value) }) },
		"getmany": func(b bench) { runCallers(b, 1, func(int) error { return foundAll(t.keys)(s.getMany(keys[:t.keys])) }) },
		"setmany": func(b bench) {
			set := s.setMany(keys[:t.keys], value)
			runCallers(b, 1, func(int) error { return set() })
		},
		"ttl":         func(b bench) { runCallers(b, t.callers, func(i int) error { return s.ttl(keys[i%len(keys)]) }) },
		"add":         func(b bench) { runAdd(b, s, t.callers, len(keys), value) },
		"delete":      func(b bench) { runDelete(b, s, t.callers, len(keys), value) },
		"deletemany":  func(b bench) { runDeleteMany(b, s, t.keys, value) },
		"create":      runCreate(s, len(keys), value),
		"full":        runFull(s, len(keys), value),
		"open":        func(b bench) { runOpen(b, p, addr, keys[0], value) },
		"clear":       func(b bench) { runClear(b, s, keys, value, s.clear) },
		"clearprefix": func(b bench) { runClear(b, s, keys, value, func() error { return s.clearPrefix("key:") }) },
	}[t.op]
	return run, s.close, nil
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

func foundAll(want int) func(found int, err error) error {
	return func(found int, err error) error {
		if err == nil && found != want {
			err = fmt.Errorf("%d of %d keys", found, want)
		}
		return err
	}
}
