package guard_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// store is a backend in memory without statistics. It counts its calls, and a test
// decides its answers. Keys that begin with "a:", "b:" and so on are on a server of that
// name.
type store struct {
	*cachetest.Store
	calls atomic.Int64
}

func newStore() *store {
	s := &store{Store: cachetest.NewStore()}
	s.failWith(nil)
	return s
}

// failWith makes all further calls return err, and work if err is nil.
func (s *store) failWith(err error) {
	s.onCall(func(context.Context, string, string) error { return err })
}

// onCall makes all further calls return the error of fail, and work if it is nil.
func (s *store) onCall(fail func(ctx context.Context, op, key string) error) {
	s.OnCall(func(ctx context.Context, op, key string) error {
		if op == "stats" {
			return errors.ErrUnsupported
		}
		s.calls.Add(1)
		return fail(ctx, op, key)
	})
}

// hang waits for the end of ctx, as a server that does not answer.
func hang(ctx context.Context, op, _ string) error {
	<-ctx.Done()
	return &hung{ctx.Err(), op != "get"}
}

type hung struct {
	cause error
	sent  bool
}

func (h *hung) Error() string { return "i/o timeout: " + h.cause.Error() }
func (h *hung) Unwrap() []error {
	if h.sent {
		return []error{driver.ErrUnknownOutcome, h.cause}
	}
	return []error{h.cause}
}

// servers is a store whose keys are on several servers.
type servers struct{ *store }

func (servers) Place(key string) string {
	server, _, _ := strings.Cut(key, ":")
	return server
}
