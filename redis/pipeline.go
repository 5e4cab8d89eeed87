package redis

import (
	"bytes"
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

const (
	// maxShared is the largest value, in bytes, that shares a round trip: larger ones
	// would delay the other callers.
	maxShared = 64 << 10

	// maxSharedBytes is the size, in bytes of values, from which a shared round trip
	// accepts no further command.
	maxSharedBytes = 1 << 20
)

// pipeline coalesces the commands of concurrent callers to one server.
type pipeline = remote.Group[goredis.Cmder]

// newPipeline returns a pipeline in which a command waits for at most maxWait. The driver
// has an automatic pipeliner of its own, but that sends a command even if its caller has
// left before.
func newPipeline(b *Backend, maxWait time.Duration) *pipeline {
	return &pipeline{
		RoundTrip: b.processAlone,
		NewBatch:  func() remote.Batch[goredis.Cmder] { return &sharedCommands{backend: b} },
		BatchSize: maxSharedBytes,
		Detach:    detach,
		MaxWait:   maxWait, // as without sharing
	}
}

// isLarge reports whether cmd has a round trip of its own: it has a large value, or is
// itself a batch.
func isLarge(cmd goredis.Cmder) bool {
	if c, ok := cmd.(*goredis.Cmd); ok && c.Args()[0] == "mget" {
		return true
	}
	return valueSize(cmd) > maxShared
}

// valueSize returns the size of the values that cmd stores, in bytes.
func valueSize(cmd goredis.Cmder) int {
	size := 0
	for _, arg := range valueArgs(cmd) {
		if value, ok := arg.([]byte); ok {
			size += len(value)
		}
	}
	return size
}

// valueArgs returns the arguments of a command among which its values are. The helpers of
// a plan have none.
func valueArgs(cmd goredis.Cmder) []any {
	cmd = mainCommand(cmd)
	if c, ok := cmd.(*singleAttempt); ok {
		cmd = c.Cmder
	}
	return cmd.Args()
}

// detach replaces the caller's memory by copies: a command may be written after its
// caller has left.
func detach(cmd goredis.Cmder) {
	if get, ok := cmd.(*appendCmd); ok {
		get.detach()
	}
	args := valueArgs(cmd)
	for i, arg := range args {
		if value, ok := arg.([]byte); ok {
			args[i] = bytes.Clone(value)
		}
	}
}

// sharedCommands are the commands of one shared round trip. Each has its own error.
type sharedCommands struct {
	backend *Backend
	cmds    []goredis.Cmder // nil if the caller has left
	waiting []goredis.Cmder // the others
	size    int
}

func (s *sharedCommands) Add(cmd goredis.Cmder) int {
	s.cmds = append(s.cmds, cmd)
	s.size += valueSize(cmd)
	return s.size
}

func (s *sharedCommands) Remove(i int) { s.cmds[i] = nil }

func (s *sharedCommands) Send(ctx context.Context) error {
	for _, cmd := range s.cmds {
		if cmd != nil {
			s.waiting = appendCommands(s.waiting, cmd)
		}
	}
	_ = s.backend.exec(ctx, s.backend.client, s.waiting)
	return nil
}

func (s *sharedCommands) Reset() {
	clear(s.cmds)
	clear(s.waiting)
	s.cmds, s.waiting, s.size = s.cmds[:0], s.waiting[:0], 0
}
