package redis

import (
	"context"
	"slices"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// exec sends cmds together and returns the error of the first that has one. It
// reads every reply: a connection with an unread one would give it to the next
// caller.
func (b *Backend) exec(ctx context.Context, pipe goredis.Pipeliner, cmds []goredis.Cmder) error {
	if b.closed.Load() {
		setErr(cmds, driver.ErrClosed)
		return driver.ErrClosed
	}
	if len(cmds) == 0 {
		return nil
	}
	last := &lastCommand{Cmder: cmds[len(cmds)-1], all: cmds}
	_ = pipe.BatchProcess(ctx, cmds[:len(cmds)-1]...) // queues, and never fails
	_ = pipe.Process(ctx, last)
	_, err := pipe.Exec(ctx)
	last.restore()
	// Where a connection was refused by a reply, such as to a wrong password, the
	// driver leaves the commands without an error.
	if err != nil && !slices.ContainsFunc(cmds, func(cmd goredis.Cmder) bool { return cmd.Err() != nil }) {
		setErr(cmds, err)
	}
	if b.cluster != nil && slices.ContainsFunc(cmds, isMisdirected) {
		b.cluster.ReloadState(ctx)
	}
	return err
}

func setErr(cmds []goredis.Cmder, err error) {
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}

// isMisdirected reports whether the server is not the one for the command: it has
// become a replica, or has given the key away. The driver ends a connection after
// such a reply, so that the next one finds the right server.
func isMisdirected(cmd goredis.Cmder) bool {
	err := cmd.Err()
	if err == nil {
		return false
	}
	_, moved := goredis.IsMovedError(err)
	return moved || goredis.IsReadOnlyError(err)
}

// lastCommand is the last command of a pipeline. The driver looks only at the error
// of the first command to decide whether the connection can be used again. So when
// the last reply has come, the first command gets the error of one that was
// misdirected, until the driver has seen it.
type lastCommand struct {
	goredis.Cmder
	all      []goredis.Cmder
	replaced bool
	first    error // what the first command had
}

// SetErr is called by the driver with the outcome of the command.
func (c *lastCommand) SetErr(err error) {
	c.Cmder.SetErr(err)
	c.replaced = false // the driver may try again
	if isMisdirected(c.all[0]) {
		return
	}
	if i := slices.IndexFunc(c.all, isMisdirected); i > 0 {
		c.replaced, c.first = true, c.all[0].Err()
		c.all[0].SetErr(c.all[i].Err())
	}
}

// restore gives the first command its own outcome.
func (c *lastCommand) restore() {
	if c.replaced {
		c.all[0].SetErr(c.first)
	}
}
