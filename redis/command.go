package redis

import (
	"context"
	"errors"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

// singleAttempt is a command that the driver must not repeat.
type singleAttempt struct {
	goredis.Cmder
	unplaced bool // a client of a cluster has not looked for the node yet
	sent     bool // and not refused; a caller that has abandoned the command must not read it
}

// once returns cmd for the client of one server or of one node of a cluster.
func once(cmd goredis.Cmder) *singleAttempt { return &singleAttempt{Cmder: cmd} }

// once returns cmd for the client of the Backend.
func (b *Backend) once(cmd goredis.Cmder) *singleAttempt {
	return &singleAttempt{Cmder: cmd, unplaced: b.cluster != nil}
}

// NoRetry is called by the driver.
func (c *singleAttempt) NoRetry() bool { return true }

// Args is called by the driver when it writes the command to a connection, which it has
// set up before. The client of a cluster calls it once more, to find the node. A hook of
// an application may call it too early: then a failure to connect leaves the outcome
// unknown.
func (c *singleAttempt) Args() []any {
	c.sent = !c.unplaced
	c.unplaced = false
	return c.Cmder.Args()
}

// SetErr is called by the driver with the error of an attempt. A command that was refused
// has changed nothing: the driver may send it to another node.
func (c *singleAttempt) SetErr(err error) {
	if isReply(err) {
		c.sent = false
	}
	c.Cmder.SetErr(err)
}

// notSentUnlessReply returns err, which happened before the command was sent.
func notSentUnlessReply(err error) error {
	if isReply(err) {
		return err
	}
	return notSent(err)
}

// outcome returns err, the error of cmd, marked if the command was not sent. The driver
// returns errors of the set-up of a connection as if they were those of the command.
func outcome(cmd goredis.Cmder, err error) error {
	if err == nil || err == driver.ErrClosed || remote.IsUnsent(err) || remote.IsAbandoned(err) || isReply(err) {
		return err
	}
	if c := singleAttemptOf(cmd); c != nil && !c.sent {
		return notSent(err)
	}
	return err
}

// notSent marks err, which is not a reply, as the error of a command that was not sent.
func notSent(err error) error {
	if err == goredis.Nil {
		err = errNull
	} else if isMalformed(err) {
		err = withoutQuote(err)
	}
	return remote.Unsent{Err: err}
}

// isReply reports whether err is an error reply. The driver's Nil is a null reply, which
// may have been one to another command.
func isReply(err error) bool {
	if err == nil { // before reply takes memory
		return false
	}
	var reply goredis.Error
	return errors.As(err, &reply) && !errors.Is(err, goredis.Nil)
}

// process runs one command or plan, alone or in a round trip with those of other callers.
func (b *Backend) process(ctx context.Context, cmd goredis.Cmder) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	shared := b.pipeline
	if b.pipelines != nil {
		shared = b.pipelines.of(b.Place(keyOf(cmd)))
	}
	switch {
	case shared == nil:
		return b.processAlone(ctx, cmd)
	case isLarge(cmd):
		return shared.DoAlone(ctx, cmd)
	}
	if err := shared.Do(ctx, cmd); err != nil {
		return err
	}
	return cmd.Err()
}

func (b *Backend) processAlone(ctx context.Context, cmd goredis.Cmder) error {
	p, ok := cmd.(*plan)
	if !ok {
		err := b.client.Process(ctx, cmd)
		b.noteMap(err)
		return err
	}
	_ = b.exec(ctx, b.client, p.all)
	return p.Err()
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

// write runs a command that may be executed only once. That is every write that stores a
// value or a lease: if it were sent again, the server might execute the first request after
// the second one and after a later delete, and the value or the lease would come back.
func (b *Backend) write(ctx context.Context, cmd goredis.Cmder) error {
	return b.failure(ctx, b.send(ctx, cmd), true)
}

func (b *Backend) send(ctx context.Context, cmd goredis.Cmder) error {
	return outcome(cmd, b.process(ctx, cmd))
}

// sendAgain runs a write that only removes, which may be repeated. If that fails, it returns the first error,
// because the first attempt may have been executed.
func (b *Backend) sendAgain(ctx context.Context, cmd goredis.Cmder) error {
	err := b.send(ctx, cmd)
	if remote.IsBroken(err) && b.again(ctx, cmd) == nil {
		return nil
	}
	return err
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
