package redis

import (
	"context"
	"errors"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

// singleAttempt is a command that the driver must not repeat.
type singleAttempt struct{ goredis.Cmder }

// NoRetry is called by the driver.
func (singleAttempt) NoRetry() bool { return true }

// process runs one command, alone or in a round trip with those of other callers.
func (b *Backend) process(ctx context.Context, cmd goredis.Cmder) error {
	switch {
	case b.closed.Load():
		return driver.ErrClosed
	case b.pipeline == nil:
		return b.client.Process(ctx, cmd)
	case isLarge(cmd):
		return b.pipeline.DoAlone(ctx, cmd)
	}
	if err := b.pipeline.Do(ctx, cmd); err != nil {
		return err
	}
	return cmd.Err()
}

// errMiss is the outcome of a GET whose key is absent.
var errMiss = errors.New("miss")

// read runs a command that may be repeated.
func (b *Backend) read(ctx context.Context, cmd goredis.Cmder) error {
	err := b.process(ctx, cmd)
	if remote.IsBroken(err) {
		err = b.again(ctx, cmd)
	}
	switch {
	case err == nil:
		return nil
	case isMiss(cmd, err):
		return errMiss
	}
	return b.failure(ctx, err, false)
}

// write runs a command that may be executed only once.
func (b *Backend) write(ctx context.Context, cmd goredis.Cmder) error {
	return b.failure(ctx, b.process(ctx, singleAttempt{cmd}), true)
}

// result returns the value of cmd if err, the outcome of cmd, is nil. A command that
// was abandoned still belongs to the pipeline, which may write its value at any time.
func result[T any](cmd interface{ Val() T }, err error) (val T, _ error) {
	if err != nil {
		return val, err
	}
	return cmd.Val(), nil
}

// again repeats a command whose connection broke.
func (b *Backend) again(ctx context.Context, cmd goredis.Cmder) (err error) {
	for range attempts(b.client) {
		prepare(cmd)
		if err = b.process(ctx, cmd); !remote.IsBroken(err) {
			break
		}
	}
	return err
}

// repeat calls do, and again if its connection breaks.
func repeat(client poolStats, do func() error) error {
	err := do()
	for left := attempts(client); left > 0 && remote.IsBroken(err); left-- {
		err = do()
	}
	return err
}

// attempts returns how often a command is repeated whose connection broke: once, and once
// more for each idle connection, which may have broken at the same time. The driver does
// not notice that before it uses the connection, if the client is one of the application
// and uses TLS.
func attempts(client poolStats) int { return 1 + int(client.PoolStats().IdleConns) }

type poolStats interface{ PoolStats() *goredis.PoolStats }

// eachPrimary calls do for every server that accepts writes, several at a time.
func (b *Backend) eachPrimary(ctx context.Context, do func(context.Context, *goredis.Client) error) error {
	if b.cluster != nil {
		return b.cluster.ForEachMaster(ctx, do)
	}
	return do(ctx, b.one)
}

// primaryOf returns the client of the server that accepts writes to key.
func (b *Backend) primaryOf(ctx context.Context, key string) (*goredis.Client, error) {
	if b.cluster != nil {
		return b.cluster.MasterForKey(ctx, key)
	}
	return b.one, nil
}
