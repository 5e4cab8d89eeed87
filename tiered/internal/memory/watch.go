package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// The errors with which Watch ends.
var (
	ErrCut     = errors.New("connection reset by peer")
	ErrCleared = errors.New("all entries were removed")
	ErrStalled = errors.New("nothing arrived for the grace period")
	ErrOverrun = errors.New("too many changes at once")
)

// watch is one call of Watch.
type watch struct {
	prefix  string
	grace   time.Duration
	foreign bool // also receives keys without the prefix

	mu      sync.Mutex
	queue   []notice
	stalled bool // nothing arrives
	wake    chan struct{}
}

// notice is a change that is on its way, or the end of the watch.
type notice struct {
	key  string
	due  time.Time
	lost error
}

func (w *watch) send(n notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stalled {
		w.queue = append(w.queue, n)
		w.signal()
	}
}

func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) take() []notice {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue := w.queue
	w.queue = nil
	return queue
}

// cut ends all watches with n. The caller holds mu.
func (s *Store) cut(n notice) {
	for w := range s.watches {
		w.send(n)
	}
}

// Cut ends all watches.
func (s *Store) Cut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut(notice{lost: err})
}

// Stall lets no notice arrive from now on. The watches end after their grace.
func (s *Store) Stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		w.mu.Lock()
		w.stalled, w.queue = true, nil
		w.mu.Unlock()
		time.AfterFunc(w.grace, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.queue = append(w.queue, notice{lost: ErrStalled})
			w.signal()
		})
	}
}

// SendForeign lets notices of keys without the prefix arrive too.
func (s *Store) SendForeign() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		w.foreign = true
	}
}

// Watching returns the number of watches.
func (s *Store) Watching() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watches)
}

// Watch is that of [driver.Watcher].
func (f Far) Watch(ctx context.Context, prefix string, grace time.Duration, notices driver.Notices) error {
	w := &watch{prefix: prefix, grace: grace, wake: make(chan struct{}, 1)}
	if err := f.do("watch", prefix, func() { f.watches[w] = struct{}{} }); err != nil {
		return err
	}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watches, w)
	}()
	notices.Ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
		for _, n := range w.take() {
			if n.lost != nil {
				return n.lost
			}
			time.Sleep(time.Until(n.due))
			notices.Changed(n.key)
		}
	}
}
