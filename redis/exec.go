package redis

import (
	"context"
	"slices"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// exec sends cmds, commands or plans, in one round trip and returns the error of the first command that
// failed. It reads every reply: an unread one would become the reply to the next command
// on the connection.
func (b *Backend) exec(ctx context.Context, client pipeliner, cmds []goredis.Cmder) error {
	if b.closed.Load() {
		setErr(cmds, driver.ErrClosed)
		return driver.ErrClosed
	}
	if len(cmds) == 0 {
		return nil
	}
	cmds = withoutPlans(cmds)
	pipe := client.Pipeline()
	var err error
	if _, ok := client.(*goredis.Client); ok {
		last := &lastCommand{Cmder: cmds[len(cmds)-1], all: cmds}
		_ = pipe.BatchProcess(ctx, cmds[:len(cmds)-1]...) // only queues the commands
		_ = pipe.Process(ctx, last)
		_, err = pipe.Exec(ctx)
		last.restore()
	} else {
		_ = pipe.BatchProcess(ctx, cmds...)
		_, err = pipe.Exec(ctx)
	}
	b.noteMap(err)
	// If the set-up of the connection failed with an error reply, such as to a wrong
	// password, the driver leaves the commands without an error.
	if err != nil && !slices.ContainsFunc(cmds, func(cmd goredis.Cmder) bool { return cmd.Err() != nil }) {
		setErr(cmds, err)
	}
	if b.cluster != nil && slices.ContainsFunc(cmds, isMisdirected) {
		b.cluster.ReloadState(ctx)
	}
	return err
}

// pipeliner is a client of one server or of a cluster.
type pipeliner interface{ Pipeline() goredis.Pipeliner }

func setErr(cmds []goredis.Cmder, err error) {
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}

// isMisdirected reports whether the command reached the wrong server: a replica, or a
// node that does not have the key any more. After such a reply the driver closes the
// connection, so that the next one reaches the right server.
func isMisdirected(cmd goredis.Cmder) bool {
	err := cmd.Err()
	if err == nil || err == goredis.Nil {
		return false
	}
	_, moved := goredis.IsMovedError(err)
	return moved || goredis.IsReadOnlyError(err)
}

// lastCommand is the last command of a pipeline to one server. The driver decides by the
// error of the first command alone whether it keeps the connection. So when the last
// reply has arrived, the first command temporarily gets the error of a misdirected one.
type lastCommand struct {
	goredis.Cmder
	all      []goredis.Cmder
	replaced bool
	first    error // the own error of the first command
}

// SetErr is called by the driver with the error of the command, nil for none.
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

// restore gives the first command its own error back.
func (c *lastCommand) restore() {
	if c.replaced {
		c.all[0].SetErr(c.first)
	}
}
