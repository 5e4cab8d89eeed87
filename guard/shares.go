package guard

import (
	"context"
	"errors"

	"github.com/cachebackends/cachebackends/core/driver"
)

// share is the part of a batch whose keys are stored in one place.
type share struct {
	breaker *breaker
	pass    pass
	open    error // of enter: the keys are not sent
	verdict verdict
	cause   error // of verdict, if it is fault
}

// batch calls do with the indexes of the keys whose breakers let them pass; nil means
// all of them. The keys of an open breaker fail alone.
func (b *Backend) batch(ctx context.Context, keys []string, do func(ctx context.Context, at []int) error) error {
	shares, of := b.shares(keys)
	defer func() { // also if do panics
		for _, s := range shares {
			if s.open == nil {
				s.breaker.leave(s.pass, s.verdict, s.cause)
			}
		}
	}()
	at, refused := passing(keys, of)
	if refused != nil && len(at) == 0 {
		return refused
	}
	limited := b.limit(ctx, b.options.Budget)
	defer limited.stop()
	err := limited.explain(do(limited.Context, at))
	judgeKeys(keys, of, err, &limited)
	if refused == nil {
		return err
	}
	return driver.MergeBatch(err, refused)
}

// shares returns the shares of a batch, with a pass or the error of its breaker each,
// and that of every key.
func (b *Backend) shares(keys []string) (shares []*share, of []*share) {
	of = make([]*share, len(keys))
	for i, key := range keys {
		br := b.breakerOf(key)
		for _, s := range shares {
			if s.breaker == br {
				of[i] = s
				break
			}
		}
		if of[i] == nil {
			of[i] = &share{breaker: br}
			of[i].pass, of[i].open = b.enter(br)
			shares = append(shares, of[i])
		}
	}
	return shares, of
}

// passing returns the indexes of the keys that are sent, nil for all, and the errors of
// the others.
func passing(keys []string, of []*share) (at []int, refused error) {
	var failed driver.BatchError
	for i, key := range keys {
		if of[i].open != nil {
			failed.Fail(key, of[i].open)
		} else {
			at = append(at, i)
		}
	}
	if len(at) == len(keys) {
		return nil, nil
	}
	return at, failed.ErrorOrNil()
}

// judgeKeys sets the verdicts of the shares that were sent. A share of which one key
// was served is answered.
func judgeKeys(keys []string, of []*share, err error, l *limited) {
	var failed map[string]error // by key, if err names keys
	var batch *driver.BatchError
	if errors.As(err, &batch) {
		failed = make(map[string]error, len(batch.Failed))
		for _, f := range batch.Failed {
			failed[f.Key] = f.Err
		}
	}
	for i, key := range keys {
		s, cause := of[i], err
		if failed != nil {
			cause = failed[key]
		}
		v := l.judge(verdictOf(cause))
		switch {
		case s.open != nil || s.verdict == answered:
		case v == answered:
			s.verdict, s.cause = answered, nil
		case v == fault:
			s.verdict, s.cause = fault, cause
		}
	}
}
