package redis

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

// A round trip of a batch has at most chunkKeys keys, and accepts no further key once
// it has chunkBytes bytes of values: timeouts hold for the whole of it, and other
// clients of the server wait no longer than for a thousand small commands.
const (
	chunkKeys  = 1000
	chunkBytes = 8 << 20
)

// GetMany reads 1,000 keys in one round trip: by MGET, or on a cluster, where MGET
// cannot span slots, by a pipeline of GETs to each node.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if err := b.checkKeys(keys); err != nil {
		return values, err
	}
	if b.cluster != nil {
		return values, b.getEach(ctx, keys, values)
	}
	var failed driver.BatchError
	for begin := 0; begin < len(keys); begin += chunkKeys {
		end := min(begin+chunkKeys, len(keys))
		err := b.mget(ctx, keys[begin:end], values[begin:end])
		if err == nil {
			continue
		}
		failAll(&failed, keys[begin:end], err)
		if driver.EndsBatch(err) {
			failAll(&failed, keys[end:], driver.Skipped(err))
			break
		}
	}
	return values, failed.ErrorOrNil()
}

// checkKeys returns the error of a batch that must not be sent.
func (b *Backend) checkKeys(keys []string) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	var failed driver.BatchError
	for _, key := range keys {
		if isLeaseName(key) {
			failed.Fail(key, errLeaseName)
		}
	}
	return failed.ErrorOrNil()
}

func failAll(failed *driver.BatchError, keys []string, err error) {
	for _, key := range keys {
		failed.Fail(key, err)
	}
}

func (b *Backend) mget(ctx context.Context, keys []string, values [][]byte) error {
	args := make([]any, 1, 1+len(keys))
	args[0] = "mget"
	for i := range keys {
		args = append(args, &keys[i]) // a pointer needs no memory to become an any
	}
	// A SliceCmd would take any reply with a number for the beginning of a list.
	cmd := goredis.NewCmd(ctx, args...)
	reply, err := result(cmd, b.read(ctx, cmd))
	if err != nil {
		return err
	}
	list, _ := reply.([]any)
	if len(list) != len(keys) {
		return b.failure(ctx, fmt.Errorf("%w: %d values for %d keys", errMalformed, len(list), len(keys)), false)
	}
	for i, value := range list {
		if text, ok := value.(string); ok {
			values[i] = b.value(bytesOf(text))
		}
	}
	return nil
}

func (b *Backend) getEach(ctx context.Context, keys []string, values [][]byte) error {
	cmds := make([]goredis.Cmder, len(keys))
	for i, key := range keys {
		cmds[i] = getCmd(ctx, key)
	}
	var failed driver.BatchError
	b.execChunks(ctx, cmds, func(i int) driver.Item { return driver.Item{Key: keys[i]} }, &failed, false)
	for i, cmd := range cmds {
		if get := cmd.(*goredis.StringCmd); get.Err() == nil {
			values[i] = b.value(bytesOf(get.Val()))
		}
	}
	return failed.ErrorOrNil()
}

// SetMany is a pipeline of SETs.
func (b *Backend) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	if err := b.checkKeys(keys); err != nil {
		return err
	}
	var failed driver.BatchError
	cmds := make([]goredis.Cmder, 0, len(items))
	sendable := make([]driver.Item, 0, len(items))
	// The commands share their memory: one slice each instead of an allocation per item.
	px, sets := ttlArgs(ttl), make([]singleAttempt, len(items))
	args := make([]any, 0, len(items)*(3+len(px)))
	for i, item := range items {
		if err := b.checkSize(item.Value); err != nil {
			failed.Fail(item.Key, err)
			continue
		}
		begin := len(args)
		args = append(append(args, "set", &items[i].Key, b.stored(item.Value)), px...)
		set := goredis.NewStatusCmd(ctx, b.writeArgs(args[begin:len(args):len(args)], item.Key)...)
		sets[i] = singleAttempt{Cmder: set, unplaced: b.cluster != nil}
		cmds = append(cmds, withEndOfLease(ctx, &sets[i], item.Key, ttl))
		sendable = append(sendable, item)
	}
	b.execChunks(ctx, cmds, func(i int) driver.Item { return sendable[i] }, &failed, true)
	return failed.ErrorOrNil()
}

// DeleteMany is a pipeline of deletions.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	if err := b.checkKeys(keys); err != nil {
		return deleted, err
	}
	cmds := make([]goredis.Cmder, len(keys))
	deletions := make([]deletion, len(keys))
	for i, key := range keys {
		cmds[i] = deletions[i].init(ctx, b, key)
	}
	var failed driver.BatchError
	b.execChunks(ctx, cmds, func(i int) driver.Item { return driver.Item{Key: keys[i]} }, &failed, true)
	for i, cmd := range cmds {
		deleted[i] = cmd.Err() == nil && deletions[i].done()
	}
	return deleted, failed.ErrorOrNil()
}

// execChunks runs cmds[i] for item(i), many in a round trip, and adds those that failed
// to failed. A write is sent once, see [Backend.write]. After an outage of a server it sends no further command to it.
func (b *Backend) execChunks(ctx context.Context, cmds []goredis.Cmder, item func(i int) driver.Item, failed *driver.BatchError, write bool) {
	down := outages{backend: b}
	for begin, end := 0, 0; begin < len(cmds); begin = end {
		for size := 0; end < len(cmds) && end-begin < chunkKeys && size < chunkBytes; end++ {
			size += len(item(end).Value)
		}
		sent := down.skip(ctx, cmds[begin:end], func(i int) string { return item(begin + i).Key }, failed)
		_ = b.exec(ctx, b.client, sent) // each command has its own error
		if !write {
			b.repeatBroken(ctx, sent)
		}
		var ended []driver.KeyError
		for i := begin; i < end; i++ {
			err := cmds[i].Err()
			if err == nil || isMiss(cmds[i], err) || isSkipped(err) || !write && goredis.HasErrorPrefix(err, "WRONGTYPE") {
				continue
			}
			key := item(i).Key
			err = b.failure(ctx, outcome(cmds[i], err), write)
			failed.Fail(key, err)
			if driver.EndsBatch(err) {
				ended = append(ended, driver.KeyError{Key: key, Err: err})
			}
		}
		if end < len(cmds) {
			down.add(ctx, ended, len(sent))
		}
	}
}

// repeatBroken repeats the commands whose connection broke, as often as again does. A
// write that fails again keeps its first error, because the first attempt may have been
// executed.
func (b *Backend) repeatBroken(ctx context.Context, cmds []goredis.Cmder) {
	var broken []goredis.Cmder
	var first []error
	for _, cmd := range cmds {
		if err := cmd.Err(); remote.IsBroken(err) {
			broken, first = append(broken, cmd), append(first, outcome(cmd, err))
		}
	}
	for left := attempts(b.client); left > 0 && slices.ContainsFunc(broken, isBroken); left-- {
		for _, cmd := range broken {
			prepare(cmd)
		}
		_ = b.exec(ctx, b.client, broken)
	}
	for i, cmd := range broken {
		if c := singleAttemptOf(cmd); c != nil && cmd.Err() != nil && !remote.IsUnsent(first[i]) {
			c.SetErr(first[i])
			c.sent = true
		}
	}
}

func isBroken(cmd goredis.Cmder) bool { return remote.IsBroken(cmd.Err()) }

// outages are the servers to which a batch sends no further command.
type outages struct {
	backend *Backend
	servers map[*goredis.Client]error
	all     error // of every server
}

// add adds the servers of the keys that failed, of so many that were sent.
func (o *outages) add(ctx context.Context, failed []driver.KeyError, sent int) {
	if len(failed) > 0 && len(failed) == sent {
		o.all = failed[0].Err // and if there is no map of the cluster, it is not asked for once a key
		return
	}
	for _, f := range failed {
		if server, err := o.backend.primaryOf(ctx, f.Key); err == nil {
			if o.servers == nil {
				o.servers = make(map[*goredis.Client]error)
			}
			o.servers[server] = f.Err
		}
	}
}

// skip fails the commands for servers that are down, and returns the others.
func (o *outages) skip(ctx context.Context, cmds []goredis.Cmder, key func(i int) string, failed *driver.BatchError) []goredis.Cmder {
	if o.all == nil && o.servers == nil {
		return cmds
	}
	var others []goredis.Cmder
	for i, cmd := range cmds {
		cause := o.all
		if cause == nil {
			server, _ := o.backend.primaryOf(ctx, key(i))
			cause = o.servers[server]
		}
		if cause == nil {
			others = append(others, cmd)
			continue
		}
		err := skippedError{driver.Skipped(cause)}
		cmd.SetErr(err)
		failed.Fail(key(i), err.error)
	}
	return others
}

// skippedError is the error of a command that was not sent.
type skippedError struct{ error }

func isSkipped(err error) bool {
	_, ok := err.(skippedError)
	return ok
}
