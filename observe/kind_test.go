package observe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestKindOf(t *testing.T) {
	batch := func(errs ...error) error {
		var b cache.BatchError
		for i, err := range errs {
			b.Fail(fmt.Sprint(i), err)
		}
		return b.ErrorOrNil()
	}
	seen := map[Kind]bool{}
	for _, tt := range []struct {
		err  error
		want Kind
	}{
		{nil, None},
		{cache.ErrClosed, Closed},
		{context.Canceled, Cancelled},
		{cache.ErrAuth, Auth},
		{context.DeadlineExceeded, Timeout},
		{os.ErrDeadlineExceeded, Timeout},
		{cache.ErrUnknownOutcome, UnknownOutcome},
		{cache.ErrUnavailable, Unavailable},
		{cache.ErrFull, Full},
		{cache.ErrCorrupt, Corrupt},
		{cache.ErrTooLarge, TooLarge},
		{cache.ErrNotInteger, NotInteger},
		{cache.ErrInvalidKey, Invalid},
		{cache.ErrInvalidTimeout, Invalid},
		{cache.ErrInvalidSettings, Invalid},
		{errors.ErrUnsupported, Unsupported},
		{errors.New("no database"), Other},
		{&cache.Error{Op: "get", Err: fmt.Errorf("node 1: %w", cache.ErrFull)}, Full},
		{fmt.Errorf("%w: %w", cache.ErrUnavailable, os.ErrDeadlineExceeded), Timeout},
		{fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, context.Canceled), Cancelled},
		{batch(cache.ErrTooLarge, cache.ErrUnavailable), Unavailable},
	} {
		got := KindOf(tt.err)
		if got != tt.want {
			t.Errorf("KindOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
		if seen[got] = true; got != None && !slices.Contains(Kinds(), got) {
			t.Errorf("Kinds does not have %q", got)
		}
	}
	if len(seen)-1 != len(Kinds()) {
		t.Errorf("Kinds returns %q; the test has %d of them", Kinds(), len(seen)-1)
	}
}
