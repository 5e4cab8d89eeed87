package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// probe finds out which features backend has and compares them with the harness.
func (s *suite) probe(ctx context.Context, backend driver.Backend) error {
	if s.report.Backend == "" {
		s.report.Backend = driver.Resolve(backend).Name()
	}
	s.absent = s.harness.implied()
	for _, feature := range features {
		if _, implied := s.absent[feature]; implied {
			continue
		}
		works, err := s.works(ctx, backend, feature)
		if err != nil {
			return fmt.Errorf("probing %s: %w", feature, err)
		}
		s.compare(feature, works)
	}
	s.report.Features = s.support()
	return nil
}

// compare holds what the harness declares about feature against what was found.
func (s *suite) compare(feature Feature, works bool) {
	reason, declared := s.harness.Unsupported[feature]
	storesNothing, isNull := s.harness.Unsupported[Storage]
	switch {
	case works && declared:
		s.overdeclared = append(s.overdeclared, feature)
	case works:
	case declared:
		s.absent[feature] = reason
	case isNull:
		s.absent[feature] = storesNothing
	case feature == Storage: // BAS-1 fails, and every rule runs
	case extensions[feature] != "":
		s.absent[feature] = "the backend does not implement " + extensions[feature]
	default:
		s.undeclared = append(s.undeclared, feature)
		s.absent[feature] = "the backend lacks it, and the harness does not declare it (" + declarationsID + ")"
	}
}

// support returns the features for the report.
func (s *suite) support() []Support {
	list := make([]Support, len(features))
	for i, feature := range features {
		reason, absent := s.absent[feature]
		_, declared := s.harness.Unsupported[feature]
		list[i] = Support{feature, Pass, reason}
		if absent {
			list[i].Outcome = Unsupported
		}
		if feature == FullClear && absent && !declared && !s.harness.Isolated {
			list[i].Outcome = Skipped
		}
	}
	return list
}

// works reports whether backend has feature, by using it where that does no harm.
// An error means that the backend cannot be tested. A feature that fails, panics or
// hangs counts as present: the cases report it.
func (s *suite) works(ctx context.Context, backend driver.Backend, feature Feature) (works bool, err error) {
	backend = s.show(backend)
	key := "conformance-" + s.runID + "-probe"
	type answer struct {
		works bool
		err   error
	}
	a, ok := inTime(func() answer {
		works, err := s.try(ctx, backend, feature, key)
		if _, errDelete := backend.Delete(ctx, key); !isOutage(err) && isOutage(errDelete) {
			err = errDelete
		}
		return answer{works, err}
	})
	switch {
	case !ok:
		return true, nil
	case isOutage(a.err):
		return false, a.err
	case errors.Is(a.err, errors.ErrUnsupported):
		return false, nil
	}
	return a.works || a.err != nil, nil
}

// inTime returns what call returns, ok=false if it panics or does not return.
func inTime[T any](call func() T) (result T, ok bool) {
	type answer struct {
		result T
		ok     bool
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			a.ok = recover() == nil
			answers <- a
		}()
		a.result = call()
	}()
	select {
	case a := <-answers:
		return a.result, a.ok
	case <-time.After(min(silenceLimit, 5*time.Second)):
		return result, false
	}
}

// try calls the method that stands for feature, with key.
func (s *suite) try(ctx context.Context, backend driver.Backend, feature Feature, key string) (works bool, err error) {
	const ttl = time.Minute
	ops := driver.Resolve(backend)
	switch feature {
	case Storage:
		if err = ops.Set(ctx, key, []byte("1"), ttl); err == nil {
			_, works, err = ops.Get(ctx, key)
		}
		return works, err
	case Counter:
		_, err = ops.Inc(ctx, key, 1, ttl)
		return true, err
	case Lease:
		_, _, _, err = ops.Lease(ctx, key, time.Second)
		return true, err
	case Swap:
		_, err = ops.CompareAndSwap(ctx, key, nil, []byte("1"), ttl)
		return true, err
	case TTL:
		_, _, err = ops.TTL(ctx, key)
		return true, err
	case GetWithTTL:
		_, _, _, err = ops.GetWithTTL(ctx, key)
		return true, err
	case Watch:
		return true, watchUntilReady(ctx, ops, key)
	case Stats:
		stats, err := ops.Stats(ctx)
		state := stats.State
		stats.State = ""
		return state == "" || stats != driver.UnknownStats, err // a wrapper may know nothing but its own state
	case Scan:
		for _, err := range ops.Scan(ctx, key) {
			return true, err
		}
		return true, nil
	case PrefixClear:
		return true, ops.ClearPrefix(ctx, key)
	case FullClear:
		if s.harness.Isolated {
			return true, ops.Clear(ctx)
		}
	}
	return s.harness.provides(feature), nil
}

// isOutage reports whether err says nothing about the backend.
func isOutage(err error) bool {
	return errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrAuth)
}
