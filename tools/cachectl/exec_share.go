package main

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

const (
	// Polling intervals while another process runs the command.
	minPoll = 5 * time.Millisecond
	maxPoll = 250 * time.Millisecond
)

// sharedRuns lets concurrent callers with the same key share one run.
type sharedRuns struct {
	flags execFlags
	cache *cache.Cache
	key   string // of the entry
	warn  func(error)
}

// obtain returns the stored recording or that of a run in progress. If there is
// neither, it returns the lease under which the caller must run the command; nil if the
// store does not support leases.
func (s *sharedRuns) obtain(ctx context.Context) (*recording, *lease, error) {
	before, err := s.load(ctx, s.key)
	if err != nil || before != nil && !s.flags.refresh {
		return before, nil, err
	}
	failedBefore, err := s.load(ctx, s.failureKey())
	if err != nil {
		return nil, nil, err
	}
	held := newLease(s.cache, s.key, s.flags)
	for poll := minPoll; ; poll = min(2*poll, maxPoll) {
		taken, err := held.take(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
		// Read after take: a holder stores its recording before it releases.
		r, err := s.newer(ctx, s.key, before)
		if r == nil && err == nil {
			r, err = s.newer(ctx, s.failureKey(), failedBefore)
		}
		if taken && r == nil && err == nil {
			return nil, held, nil
		}
		if taken {
			held.release(ctx)
		}
		if r != nil || err != nil {
			return r, nil, err
		}
		time.Sleep(poll/2 + mathrand.N(poll/2))
	}
}

// newer returns the recording under key unless it is of the same run as before.
func (s *sharedRuns) newer(ctx context.Context, key string, before *recording) (*recording, error) {
	r, err := s.load(ctx, key)
	if r != nil && before != nil && r.run == before.run {
		return nil, err
	}
	return r, err
}

// load returns nil if there is no recording or a corrupt one, which the next run
// replaces.
func (s *sharedRuns) load(ctx context.Context, key string) (*recording, error) {
	ctx, cancel := context.WithTimeout(ctx, s.flags.cacheTimeout)
	defer cancel()
	data, ok, err := s.cache.Get(ctx, key)
	var r *recording
	if err == nil && ok {
		r, err = decodeRecording(data)
	}
	if errors.Is(err, cache.ErrCorrupt) {
		s.warn(err)
		return nil, nil
	}
	return r, err
}

// store keeps r for all later callers if reusable, otherwise only for those that
// wait for this run.
func (s *sharedRuns) store(ctx context.Context, r *recording, reusable bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.flags.cacheTimeout)
	defer cancel()
	if !reusable {
		return s.cache.Set(ctx, s.failureKey(), r.encode(), cache.Timeout(s.flags.hold))
	}
	return s.cache.Set(ctx, s.key, r.encode(), s.flags.ttl.options()...)
}

// failureKey returns the key of the last run that is not reusable.
func (s *sharedRuns) failureKey() string { return "exec-failure:" + s.key }
