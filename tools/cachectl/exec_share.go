package main

import (
	"context"
	"crypto/rand"
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
// neither, it returns the lease under which the caller must run the command.
func (s *sharedRuns) obtain(ctx context.Context) (*recording, *lease, error) {
	if !s.flags.refresh {
		if r, err := s.load(ctx, s.key); r != nil || err != nil {
			return r, nil, err
		}
	}
	held := newLease(s.cache, "exec-lease:"+s.key, s.flags)
	awaited := "" // the run that this caller has been waiting for
	for poll := minPoll; ; poll = min(2*poll, maxPoll) {
		holder, taken, err := s.claim(ctx, held)
		if err != nil {
			return nil, nil, err
		}
		if holder == "" || holder != awaited {
			// Read after the claim: a holder stores its recording before it releases.
			r, err := s.outcome(ctx, awaited)
			if r == nil && err == nil && taken {
				return nil, held, nil
			}
			if taken {
				held.release(ctx)
			}
			if r != nil || err != nil {
				return r, nil, err
			}
		}
		awaited = holder
		time.Sleep(poll/2 + mathrand.N(poll/2))
	}
}

// claim takes the lease if it is free. Otherwise it returns the token of the holder,
// or "" if another caller took the lease first.
func (s *sharedRuns) claim(ctx context.Context, held *lease) (holder string, taken bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.flags.cacheTimeout)
	defer cancel()
	holder, err = held.holder(ctx)
	if err != nil || holder != "" {
		return holder, false, err
	}
	taken, err = held.take(ctx)
	return "", taken, err
}

// outcome returns the recording to replay after the run awaited has ended, or nil.
func (s *sharedRuns) outcome(ctx context.Context, awaited string) (*recording, error) {
	r, err := s.load(ctx, s.key)
	if err != nil || r != nil && (!s.flags.refresh || r.run == awaited) {
		return r, err
	}
	if awaited == "" {
		return nil, nil
	}
	return s.load(ctx, failureKey(awaited))
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
		return s.cache.Set(ctx, failureKey(r.run), r.encode(), cache.Timeout(s.flags.leaseTTL))
	}
	return s.cache.Set(ctx, s.key, r.encode(), s.flags.ttl.options()...)
}

func failureKey(run string) string { return "exec-failure:" + run }

// lease is the right to run a command. It is an entry in the store, so it is valid
// for all processes and machines. The holder renews it. If the holder dies, the
// entry expires and another caller takes over.
//
// The store has no compare-and-swap, so a holder that was stopped for longer than
// its lease can meet a second one. Both then run the command, and both results are
// correct.
type lease struct {
	flags execFlags
	cache *cache.Cache
	key   string
	token string // identifies the holder
	ended chan struct{}
	stop  context.CancelFunc
}

func newLease(c *cache.Cache, key string, flags execFlags) *lease {
	return &lease{flags: flags, cache: c, key: key, token: rand.Text()}
}

// holder returns the token of the holder, or "" if the lease is free.
func (l *lease) holder(ctx context.Context) (string, error) {
	token, _, err := l.cache.Get(ctx, l.key)
	return string(token), err
}

func (l *lease) take(ctx context.Context) (bool, error) {
	return l.cache.Add(ctx, l.key, []byte(l.token), cache.Timeout(l.flags.leaseTTL))
}

// keep renews the lease until release.
func (l *lease) keep(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.ended = make(chan struct{})
	go func() {
		defer close(l.ended)
		ticker := time.NewTicker(l.flags.leaseTTL / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				l.renew(ctx)
			}
		}
	}()
}

// renew ignores errors: there are two more attempts before the lease expires.
func (l *lease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.flags.leaseTTL/3)
	defer cancel()
	switch holder, err := l.holder(ctx); {
	case err != nil:
	case holder == l.token:
		l.cache.Set(ctx, l.key, []byte(l.token), cache.Timeout(l.flags.leaseTTL))
	case holder == "": // evicted, or expired while this process was stopped
		l.take(ctx)
	}
}

// release frees the lease. It ignores errors: the entry expires.
func (l *lease) release(ctx context.Context) {
	if l.stop != nil {
		l.stop()
		<-l.ended
	}
	ctx, cancel := context.WithTimeout(ctx, l.flags.cacheTimeout)
	defer cancel()
	if holder, err := l.holder(ctx); err == nil && holder == l.token {
		l.cache.Delete(ctx, l.key)
	}
}
