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
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// borrowed is a client of the application. It supports neither contexts nor batches of
// writes, does not return the expiry of an entry, and cannot list keys.
type borrowed struct{ client *memcache.Client }

// Do copies the value if it may return before the client: the client would go on reading
// memory that the caller has got back.
func (s borrowed) Do(ctx context.Context, r *wire.Request) error {
	if ctx.Done() != nil && r.Op.IsWrite() {
		r.Items[0].Value = bytes.Clone(r.Items[0].Value)
	}
	return s.call(ctx, r.Op, func() error { return s.one(r.Op, &r.Items[0]) })
}

// call returns when do has returned or ctx is done. In the latter case the client goes on
// until its own timeout.
func (s borrowed) call(ctx context.Context, op wire.Op, do func() error) error {
	if ctx.Done() == nil {
		return wire.Outcome(ctx, s.retry(op, do), op.IsWrite())
	}
	done := make(chan error, 1)
	go func() { done <- s.retry(op, do) }()
	select {
	case err := <-done:
		return wire.Outcome(ctx, err, op.IsWrite())
	case <-ctx.Done():
		return wire.Outcome(ctx, ctx.Err(), op.IsWrite())
	}
}

// retry repeats do if op permits it: once, and once more for each idle connection of
// the client, which all broke if the server was restarted.
func (s borrowed) retry(op wire.Op, do func() error) error {
	err := classified(do)
	for range 1 + max(s.client.MaxIdleConns, memcache.DefaultMaxIdleConns) {
		if !remote.IsBroken(err) || !op.IsRetryable() {
			break
		}
		err = classified(do)
	}
	return err
}

// classified calls the client, which panics on some malformed replies, and classifies
// its errors.
func classified(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = wire.ErrMalformed
		}
	}()
	err = do()
	var network *net.OpError
	var connect *memcache.ConnectTimeoutError
	switch {
	case err == nil, remote.IsBroken(err), errors.Is(err, driver.ErrUnknownOutcome), errors.Is(err, driver.ErrNotInteger):
		return err
	case errors.As(err, &network) && network.Op == "dial", errors.As(err, &connect), errors.Is(err, memcache.ErrNoServers):
		return remote.Unsent{Err: err}
	case network != nil, remote.IsTimeout(err):
		return err
	}
	// The client's errors quote the line, which may have a part of a value, or only what
	// follows CLIENT_ERROR.
	text := strings.Replace(err.Error(), "client error: ", "CLIENT_ERROR ", 1)
	for _, begin := range []string{"SERVER_ERROR", "CLIENT_ERROR", "ERROR"} {
		if i := strings.Index(text, begin); i >= 0 {
			return wire.ReplyError(text[i:])
		}
	}
	return wire.ErrMalformed
}

// one performs op for one item.
func (s borrowed) one(op wire.Op, it *wire.Item) error {
	switch op {
	case wire.OpGet, wire.OpGets, wire.OpMeta:
		found, err := s.client.Get(it.Key)
		if err == memcache.ErrCacheMiss {
			it.Answer(false)
			return nil
		}
		if err != nil {
			return err
		}
		return accept(it, found)
	case wire.OpSet:
		return answer(it, s.client.Set(itemFor(it)))
	case wire.OpAdd:
		return answer(it, s.client.Add(itemFor(it)))
	case wire.OpCompareAndSwap:
		return answer(it, s.client.CompareAndSwap(itemFor(it)))
	case wire.OpDelete:
		if it.CAS != 0 {
			it.Answer(false) // the client cannot compare
			return nil
		}
		return answer(it, s.client.Delete(it.Key))
	case wire.OpIncrement:
		return s.increment(it)
	}
	return errors.ErrUnsupported
}

// accept stores the reply to a get.
func accept(it *wire.Item, found *memcache.Item) error {
	if found.Key != it.Key {
		return wire.ErrMalformed
	}
	it.Value, it.Flags, it.CAS = found.Value, found.Flags, found.CasID
	it.Answer(true)
	return nil
}

// answer stores the reply to a write.
func answer(it *wire.Item, err error) error {
	switch err {
	case nil, memcache.ErrNotStored, memcache.ErrCacheMiss, memcache.ErrCASConflict:
		it.Answer(err == nil)
		return nil
	}
	return err
}

func itemFor(it *wire.Item) *memcache.Item {
	return &memcache.Item{Key: it.Key, Value: it.Value, Flags: it.Flags, Expiration: int32(it.Expiry), CasID: it.CAS}
}

var errOverflow = fmt.Errorf("%w: sum overflows int64", driver.ErrNotInteger)

// increment adds modulo 2^64, as the server does, and reverts a sum out of range: a
// decrement of the server would stop at zero without an error.
func (s borrowed) increment(it *wire.Item) error {
	sum, err := s.client.Increment(it.Key, uint64(it.Number))
	if err != nil {
		return answer(it, err)
	}
	if sum > math.MaxInt64 {
		if _, err := s.client.Increment(it.Key, -uint64(it.Number)); err != nil && err != memcache.ErrCacheMiss {
			return fmt.Errorf("%w: cannot revert a sum that overflows int64: %v", driver.ErrUnknownOutcome, err)
		}
		return errOverflow
	}
	it.Number = int64(sum)
	it.Answer(true)
	return nil
}

func (s borrowed) Many(ctx context.Context, op wire.Op, items []wire.Item) {
	if op == wire.OpGet {
		s.getMany(ctx, items)
		return
	}
	for i := range items {
		it := &items[i]
		if it.Err != nil {
			continue
		}
		r := wire.NewRequest(op, *it)
		if err := s.Do(ctx, r); err != nil {
			it.Fail(err)
			continue
		}
		*it = r.Items[0]
		r.Release()
	}
}

// getMany receives the entries through a channel: the client may go on after ctx has
// ended.
func (s borrowed) getMany(ctx context.Context, items []wire.Item) {
	if len(items) == 0 {
		return
	}
	keys := make([]string, len(items))
	for i := range items {
		keys[i] = items[i].Key
	}
	results := make(chan map[string]*memcache.Item, 1)
	err := s.call(ctx, wire.OpGet, func() error {
		found, err := s.client.GetMulti(keys)
		select {
		case <-results: // of an earlier attempt
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
		switch hit := found[it.Key]; {
		case hit != nil:
			_ = accept(it, hit)                // the key is that of the map
			hit.Value = bytes.Clone(hit.Value) // for another item with this key
		case err != nil:
			it.Fail(err)
		default:
			it.Answer(false)
		}
	}
}

func (s borrowed) Each(ctx context.Context, op wire.Op) error {
	if op == wire.OpPing {
		return s.call(ctx, op, s.client.Ping)
	}
	return s.call(ctx, op, s.client.FlushAll)
}

// Close does nothing: the application goes on using its client.
func (borrowed) Close() {}
