package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver/internal/errtree"
)

// KeyError is the failure of one key of a batch.
type KeyError struct {
	Key string
	Err error
}

// BatchError names the keys of a batch that failed, and only those; the others
// succeeded. A backend returns it with full keys; Cache removes its prefix from
// them.
type BatchError struct {
	Failed []KeyError
}

// BatchOf returns a [*BatchError] that names keys[i] for each errs[i] that is not
// nil, or nil if there is none.
func BatchOf(keys []string, errs []error) error {
	var failed BatchError
	for i, err := range errs {
		if err != nil {
			failed.Fail(keys[i], err)
		}
	}
	return failed.ErrorOrNil()
}

// Fail adds a key and why it failed.
func (e *BatchError) Fail(key string, err error) {
	e.Failed = append(e.Failed, KeyError{key, err})
}

// ErrorOrNil returns nil if no key failed, so that a method can end with it.
func (e *BatchError) ErrorOrNil() error {
	if len(e.Failed) == 0 {
		return nil
	}
	return e
}

// Error names the first three keys.
func (e *BatchError) Error() string {
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "%d failed", len(e.Failed))
	for i, f := range e.Failed {
		if i == shown {
			b.WriteString("; ...")
			break
		}
		fmt.Fprintf(&b, "; %s: %v", QuoteKey(f.Key), f.Err)
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As match the error of any key.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f.Err
	}
	return errs
}

// RenameKeys returns err with the keys of its [*BatchError] replaced by rename(key),
// in the form of [MergeBatch], and an err without one as it is. A wrapper that changes
// keys uses it to restore them in errors.
func RenameKeys(err error, rename func(key string) string) error {
	failed, others := split(err)
	if failed == nil {
		return err
	}
	renamed := make([]KeyError, len(failed))
	for i, f := range failed {
		renamed[i] = KeyError{rename(f.Key), RenameKeys(f.Err, rename)}
	}
	return merge(renamed, others)
}

// MergeBatch returns one [*BatchError] with the failed keys of all errs, in their
// order. Errors of another type are joined to it; nil errors are left out. It finds
// every BatchError, also one that is joined to other errors or wrapped. The text of
// what wraps it is lost, as it repeats the keys.
func MergeBatch(errs ...error) error {
	var failed []KeyError
	var others []error
	for _, err := range errs {
		f, o := split(err)
		failed, others = append(failed, f...), append(others, o...)
	}
	return merge(failed, others)
}

// split returns the failed keys of every BatchError in err, and the other errors.
func split(err error) (failed []KeyError, others []error) {
	var batch *BatchError
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &batch):
		return nil, []error{err}
	}
	switch e := err.(type) {
	case *BatchError:
		return e.Failed, nil
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			f, o := split(err)
			failed, others = append(failed, f...), append(others, o...)
		}
		return failed, others
	case interface{ Unwrap() error }:
		return split(e.Unwrap())
	}
	return nil, []error{err} // only its method As leads to batch
}

func merge(failed []KeyError, others []error) error {
	batch := &BatchError{failed}
	switch {
	case len(others) == 0:
		return batch.ErrorOrNil()
	case len(others) == 1 && len(failed) == 0:
		return others[0]
	}
	return errors.Join(append(others, batch.ErrorOrNil())...)
}

// EachKey calls do for 0 to n-1, one after the other, and returns their errors. It is
// the fallback of every batch. After an error for which [EndsBatch] is true, or if
// ctx is done, it does not call do again: the remaining errors are [Skipped].
func EachKey(ctx context.Context, n int, do func(i int) error) []error {
	errs := make([]error, n)
	var skipped error
	for i := range errs {
		if errs[i] = skipped; skipped != nil {
			continue
		}
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = do(i)
		}
		if EndsBatch(errs[i]) {
			skipped = Skipped(errs[i])
		}
	}
	return errs
}

// EndsBatch reports whether the other keys of a batch would fail with err as well:
// the store is closed, is unavailable or denies access, or the context was cancelled
// or timed out.
func EndsBatch(err error) bool {
	return err != nil && (errors.Is(err, ErrClosed) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrAuth) ||
		errors.Is(err, context.Canceled) || errtree.IsTimeout(err))
}

// Skipped returns the error of a key that a batch did not try because cause had ended
// the batch. It matches what cause matches, with one exception: [ErrUnknownOutcome]
// becomes [ErrUnavailable], because nothing was sent for the key.
func Skipped(cause error) error { return skipped{cause} }

type skipped struct{ cause error }

func (s skipped) Error() string { return "skipped after another key failed: " + s.cause.Error() }

func (s skipped) Is(target error) bool {
	switch target {
	case ErrUnknownOutcome:
		return false
	case ErrUnavailable:
		return errors.Is(s.cause, ErrUnavailable) || errors.Is(s.cause, ErrUnknownOutcome)
	}
	return errors.Is(s.cause, target)
}

func (s skipped) As(target any) bool { return errors.As(s.cause, target) }
