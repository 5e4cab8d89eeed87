package observe

import (
	"context"
	"errors"

	cache "github.com/cachebackends/cachebackends/core"
)

// Kind is a class of errors, for labels of metrics. There are only those that [Kinds]
// returns.
type Kind string

// The kinds of errors. None means that there is no error.
const (
	None           Kind = ""
	Closed         Kind = "closed"          // the cache is closed
	Cancelled      Kind = "cancelled"       // the caller has cancelled its context
	Auth           Kind = "auth"            // the store rejected the credentials
	Timeout        Kind = "timeout"         // a deadline of the caller or of the connection has passed
	UnknownOutcome Kind = "unknown_outcome" // the reply to a write was lost
	Unavailable    Kind = "unavailable"     // the store could not be reached, or rejected the call temporarily
	Full           Kind = "full"            // the store has no room
	Corrupt        Kind = "corrupt"         // stored bytes cannot be decoded
	TooLarge       Kind = "too_large"       // the value is larger than the store accepts
	NotInteger     Kind = "not_integer"     // Inc or Dec of a value that is no integer
	Invalid        Kind = "invalid"         // the caller gave an invalid key, timeout or setting
	Unsupported    Kind = "unsupported"     // the backend does not support the operation
	Other          Kind = "other"           // another error, such as that of a load
)

// causes are in the order in which an error is classified that wraps several: what stops
// all calls comes before what concerns one of them.
var causes = []struct {
	kind Kind
	errs []error
}{
	{Closed, []error{cache.ErrClosed}},
	{Cancelled, []error{context.Canceled}},
	{Auth, []error{cache.ErrAuth}},
	{Timeout, []error{context.DeadlineExceeded}},
	{UnknownOutcome, []error{cache.ErrUnknownOutcome}},
	{Unavailable, []error{cache.ErrUnavailable}},
	{Full, []error{cache.ErrFull}},
	{Corrupt, []error{cache.ErrCorrupt}},
	{TooLarge, []error{cache.ErrTooLarge}},
	{NotInteger, []error{cache.ErrNotInteger}},
	{Invalid, []error{cache.ErrInvalidKey, cache.ErrInvalidTimeout, cache.ErrInvalidSettings}},
	{Unsupported, []error{errors.ErrUnsupported}},
}

// KindOf returns the kind of err, which may wrap its cause. An error with several causes,
// such as that of a batch, has the kind that is first in the list of [Kinds]. An error of
// the network that reports a timeout is a Timeout.
func KindOf(err error) Kind {
	if err == nil {
		return None
	}
	for _, c := range causes {
		for _, cause := range c.errs {
			if errors.Is(err, cause) || c.kind == Timeout && isTimeout(err) {
				return c.kind
			}
		}
	}
	return Other
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// Kinds returns all kinds but None.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(causes)+1)
	for _, c := range causes {
		kinds = append(kinds, c.kind)
	}
	return append(kinds, Other)
}
