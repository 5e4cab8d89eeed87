package driver

import (
	"context"
	"time"
)

// Watcher reports changes of entries, whoever makes them, to callers that keep copies.
//
// Watch blocks. It calls notices.Ready once, when every later change is going to be
// reported, and then notices.Changed for each key with prefix that was written,
// removed or evicted, or that may have been. A change by the caller's own handle may
// be reported or not, if the store can have other handles; otherwise it is reported. An
// expiry is not reported.
//
// Watch returns ctx.Err() when ctx is done. It returns another error as soon as
// changes may have been missed: the connection broke, nothing arrived from the server
// for the time grace although it was asked, too many changes arrived at once, or all
// entries were removed. The caller then discards its copies and calls Watch again.
// grace is positive.
//
// A failure of Watch before Ready means that nothing was watched. If the server cannot
// report changes, the error wraps errors.ErrUnsupported.
// Fallback: none; a wrapper that keeps copies limits their life by itself.
type Watcher interface {
	Watch(ctx context.Context, prefix string, grace time.Duration, notices Notices) error
}

// PartialWatcher is implemented by a [Watcher] that may not report every change, for
// example because it reports only the writes of programs that announce them. A caller that
// keeps copies then also bounds their age.
// Fallback: Watch reports every change.
type PartialWatcher interface {
	// WatchIsPartial reports whether Watch may miss changes. It does not use the network.
	WatchIsPartial() bool
}

// Notices are the functions that [Watcher] calls, one at a time. They return quickly
// and do not call the backend.
type Notices struct {
	Ready   func()
	Changed func(key string)
}
