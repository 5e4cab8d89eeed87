package memcached

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
)

// borrowed is a client of the application. It knows neither contexts nor batches of
// writes, no expiry of what is there, and no list of keys.
type borrowed struct{ client *memcache.Client }

func (s borrowed) do(ctx context.Context, r *request) error {
	return s.guard(ctx, r.verb, func() error { return s.one(r.verb, &r.items[0]) })
}

// guard calls the client. It is left alone where the context ends first: the
// client's own timeout ends the call then.
func (s borrowed) guard(ctx context.Context, v verb, call func() error) error {
	if ctx.Done() == nil {
		return failure(s.try(v, call), v.isWrite())
	}
	done := make(chan error, 1)
	go func() { done <- s.try(v, call) }()
	select {
	case err := <-done:
		return failure(err, v.isWrite())
	case <-ctx.Done():
		return failure(ctx.Err(), v.isWrite())
	}
}

// try repeats what may be repeated: once, and once more for each idle connection of
// the client, all of which broke if the server was restarted.
func (s borrowed) try(v verb, call func() error) error {
	err := caught(call)
	for range 1 + max(s.client.MaxIdleConns, memcache.DefaultMaxIdleConns) {
		if !isBroken(err) || !v.isRepeatable() {
			break
		}
		err = caught(call)
	}
	return err
}

// caught calls the client, which panics at some answers, and sorts its errors.
func caught(call func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errNonsense
		}
	}()
	err = call()
	var dial *net.OpError
	var slow *memcache.ConnectTimeoutError
	switch {
	case err == nil, isBroken(err):
		return err
	case errors.As(err, &dial) && dial.Op == "dial", errors.As(err, &slow), errors.Is(err, memcache.ErrNoServers):
		return unsent{err}
	case errors.As(err, &dial), isTimeout(err):
		return err
	}
	// The texts of the client repeat the line, in which there may be a value.
	for _, known := range answers {
		if strings.Contains(err.Error(), known.part) {
			return refused{fmt.Errorf("%w: %s", known.kind, known.part)}
		}
	}
	return errNonsense
}

// What servers say of what they did not do.
var answers = []struct {
	part string
	kind error
}{
	{"SERVER_ERROR out of memory", cache.ErrFull},
	{"SERVER_ERROR Out of memory", cache.ErrFull},
	{"SERVER_ERROR object too large", cache.ErrTooLarge},
	{"cannot increment or decrement non-numeric value", cache.ErrNotInteger},
	{"unauthenticated", cache.ErrAuth},
	{"Too many open connections", cache.ErrUnavailable},
}

// one runs v for one item.
func (s borrowed) one(v verb, it *item) error {
	switch v {
	case vGet, vGets, vLook:
		found, err := s.client.Get(it.key)
		if err == memcache.ErrCacheMiss {
			it.answer(false)
			return nil
		}
		if err != nil {
			return err
		}
		return it.take(found)
	case vSet:
		return it.outcome(s.client.Set(it.forClient()))
	case vAdd:
		return it.outcome(s.client.Add(it.forClient()))
	case vDelete:
		if it.cas != 0 {
			it.answer(false) // the client cannot tell one state of an item from another
			return nil
		}
		return it.outcome(s.client.Delete(it.key))
	case vCount:
		return s.count(it)
	}
	return errors.ErrUnsupported
}

// take takes the answer to a get.
func (it *item) take(found *memcache.Item) error {
	if found.Key != it.key {
		return errNonsense
	}
	it.value, it.flags, it.cas = found.Value, found.Flags, found.CasID
	it.answer(true)
	return nil
}

func (it *item) outcome(err error) error {
	switch err {
	case nil, memcache.ErrNotStored, memcache.ErrCacheMiss:
		it.answer(err == nil)
		return nil
	}
	return err
}

func (it *item) forClient() *memcache.Item {
	return &memcache.Item{Key: it.key, Value: it.value, Flags: it.flags, Expiration: int32(it.expiry)}
}

// count adds modulo 2^64, which is how the server adds, and takes back what went
// beyond: the server's own way to count down would stop at zero in silence.
func (s borrowed) count(it *item) error {
	sum, err := s.client.Increment(it.key, uint64(it.number))
	if err != nil {
		return it.outcome(err)
	}
	if sum > math.MaxInt64 {
		if _, err := s.client.Increment(it.key, -uint64(it.number)); err != nil {
			return err
		}
		return refused{errRange}
	}
	it.number = int64(sum)
	it.answer(true)
	return nil
}

func (s borrowed) many(ctx context.Context, v verb, items []item) {
	if v == vGet {
		s.getMany(ctx, items)
		return
	}
	for i := range items {
		it := &items[i]
		if it.err != nil {
			continue
		}
		r := newRequest(v, *it)
		if err := s.do(ctx, r); err != nil {
			it.fail(err)
			continue
		}
		*it = r.one[0]
		r.release()
	}
}

// getMany has its results from a channel: after the end of ctx the client may still
// be at work.
func (s borrowed) getMany(ctx context.Context, items []item) {
	keys := make([]string, len(items))
	for i := range items {
		keys[i] = items[i].key
	}
	results := make(chan map[string]*memcache.Item, 1)
	err := s.guard(ctx, vGet, func() error {
		found, err := s.client.GetMulti(keys)
		select {
		case <-results: // of an earlier try
		default:
		}
		results <- found
		return err
	})
	var found map[string]*memcache.Item
	select {
	case found = <-results:
	default:
	}
	for i := range items {
		it := &items[i]
		switch hit := found[it.key]; {
		case hit != nil:
			_ = it.take(hit)                   // it was found by its key
			hit.Value = bytes.Clone(hit.Value) // the key may come again
		case err != nil:
			it.fail(err)
		default:
			it.answer(false)
		}
	}
}

func (s borrowed) each(ctx context.Context, v verb) error {
	if v == vPing {
		return s.guard(ctx, v, s.client.Ping)
	}
	return s.guard(ctx, v, s.client.FlushAll)
}

var errBorrowed = fmt.Errorf("%w: gomemcache cannot list keys, to clear those of one prefix", errors.ErrUnsupported)

func (borrowed) clearPrefix(context.Context, string) error { return errBorrowed }

func (borrowed) tellsDates() bool { return false }

// close does nothing: the application goes on using its client.
func (borrowed) close() {}
