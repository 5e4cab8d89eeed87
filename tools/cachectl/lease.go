package main

import (
	"context"
	"crypto/rand"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// lease is the right to run a command, held in the store, so that it counts
// between processes and between machines. Its holder renews it; where the holder
// dies, it runs out and another takes over.
//
// The store offers no step that compares and swaps, so a holder that was stopped
// for longer than its lease can meet a second one. Both then run the command,
// and both answers are right.
type lease struct {
	cache    *cache.Cache
	key      string
	token    string // names the holder
	life     time.Duration
	patience time.Duration // what the store may take to give it back
	ended    chan struct{}
	stop     context.CancelFunc
}

func newLease(c *cache.Cache, key string, life, patience time.Duration) *lease {
	return &lease{cache: c, key: key, token: rand.Text(), life: life, patience: patience}
}

// holder returns the token of whoever holds the lease, empty for nobody.
func (l *lease) holder(ctx context.Context) (string, error) {
	token, _, err := l.cache.Get(ctx, l.key)
	return string(token), err
}

func (l *lease) take(ctx context.Context) (bool, error) {
	return l.cache.Add(ctx, l.key, []byte(l.token), cache.Timeout(l.life))
}

// keep renews the lease until release.
func (l *lease) keep(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.ended = make(chan struct{})
	go func() {
		defer close(l.ended)
		ticker := time.NewTicker(l.life / 3)
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

// renew leaves faults to the next time: there are two before the lease runs out.
func (l *lease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.life/3)
	defer cancel()
	switch holder, err := l.holder(ctx); {
	case err != nil:
	case holder == l.token:
		l.cache.Set(ctx, l.key, []byte(l.token), cache.Timeout(l.life))
	case holder == "": // evicted, or we were asleep
		l.take(ctx)
	}
}

// release gives the lease back. Faults are left to its end of life.
func (l *lease) release(ctx context.Context) {
	if l.stop != nil {
		l.stop()
		<-l.ended
	}
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	if holder, err := l.holder(ctx); err == nil && holder == l.token {
		l.cache.Delete(ctx, l.key)
	}
}
