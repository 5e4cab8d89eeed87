package tiered

import (
	"context"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Options configures [New].
type Options struct {
	// NearTTL is the longest time for which an entry is kept near. 0 means that only
	// the remaining TTL in far limits it. That is allowed if far reports all changes and
	// remaining TTLs: it is a [driver.Watcher], or Watch is set, it is no
	// [driver.PartialWatcher], and it is a [driver.LifeGetter].
	NearTTL time.Duration `option:"near_ttl" min:"0" help:"longest time for which an entry is kept near, in seconds or as a duration; required unless far reports all changes"`

	// Grace is the longest time for which entries stay near after notices from far have
	// stopped arriving. Default 2 s.
	Grace time.Duration `option:"grace" default:"2s" min:"10ms" help:"longest time for which entries stay near after notices of changes have stopped arriving"`

	// NoWatch turns notices of changes off. NearTTL is then the only bound of staleness.
	NoWatch bool `option:"no_watch" help:"do not use the notices of changes of far; near_ttl is then required"`

	// Watch reports the changes of entries in far. Nil means far itself, if it is a
	// [driver.Watcher].
	Watch driver.Watcher

	// Prefix is the beginning of the keys that are kept near, and for which changes are
	// watched. Other keys are read from far. It is ignored without a Watcher. Opened
	// from settings, it is CACHE_KEY_PREFIX.
	Prefix string

	// OnLost receives the error with which a Watch has ended, also if it had not begun
	// to report changes. near is empty then. It returns quickly. Nil logs a warning
	// if Watch cannot be begun, and no second one before it could.
	OnLost func(err error)
}

// watcher returns the source of notices, nil for none.
func (o *Options) watcher(far driver.Backend) driver.Watcher {
	if o.NoWatch {
		return nil
	}
	if o.Watch != nil {
		return o.Watch
	}
	if w, ok := far.(driver.Watcher); ok && watches(w) {
		return w
	}
	return nil
}

const nearTTL = "CACHE_OPTIONS.near_ttl"

// needsNearTTL returns why NearTTL is required in front of far, nil if it is not.
func (o *Options) needsNearTTL(far driver.Backend) error {
	if o.NearTTL != 0 {
		return nil
	}
	name, w := driver.Resolve(far).Name(), o.watcher(far)
	switch {
	case o.NoWatch:
		return fmt.Errorf("missing: without notices of changes it is the bound of staleness")
	case w == nil:
		return fmt.Errorf("missing: %s reports no changes, so that it is the bound of staleness", name)
	case isPartial(w):
		return fmt.Errorf("missing: %s may not report every change, so that it is the bound of staleness", name)
	case !returnsTTL(far):
		return fmt.Errorf("missing: %s does not report the remaining TTL with a value", name)
	}
	return nil
}

// A wrapper has the methods of every optional interface, whatever the wrapped backend
// supports. So they are called, with a context that is done: the wrapper returns
// errors.ErrUnsupported, and a backend ends the call before it uses the network.

// watches reports whether w can report changes.
func watches(w driver.Watcher) bool {
	notices := driver.Notices{Ready: func() {}, Changed: func(string) {}}
	return !driver.IsUnsupported(w.Watch(done(), "tiered", time.Second, notices))
}

// returnsTTL reports whether far can return values with their remaining TTL.
func returnsTTL(far driver.Backend) bool {
	lives, ok := far.(driver.LifeGetter)
	if !ok {
		return false
	}
	_, _, _, err := lives.GetWithTTL(done(), "tiered")
	return !driver.IsUnsupported(err)
}

func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func isPartial(w driver.Watcher) bool {
	p, ok := w.(driver.PartialWatcher)
	return ok && p.WatchIsPartial()
}
