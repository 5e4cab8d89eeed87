package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/core/driver/remote/cachetls"
)

var (
	// ErrMalformed is the error of a reply that memcached does not send.
	ErrMalformed = errors.New("malformed reply")

	// errTimeout is the error of a server that takes longer than the timeouts allow.
	errTimeout = errors.New("timed out waiting for the server")
)

// Outcome turns the error of an exchange into one of package driver. What the server
// rejected is classified already.
func Outcome(ctx context.Context, err error, write bool) error {
	if err == nil {
		return nil
	}
	if cachetls.IsRejected(err) {
		err = fmt.Errorf("%w: %w", driver.ErrAuth, err)
	}
	return remote.Outcome(ctx, err, write)
}
