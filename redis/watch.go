package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

// Watch reports changes of entries by CLIENT TRACKING in broadcasting mode, on a
// connection of its own to every primary. It reports evictions, expiries and writes of
// this Backend too, and keys with the prefix in other databases of the server.
//
// Watch asks every server each fifth of grace, and ends if one does not reply for three
// fifths. So no change is reported later than four fifths of grace; the last one is for a
// busy machine. Watch also ends if a primary is added or replaced, if FLUSHALL or FLUSHDB
// empties a database, and when the Backend is closed. With sentinels and a client of the
// application, it ends at a failover only if the old primary closes its connections, as
// sentinels make it do if they reach it.
//
// The error wraps errors.ErrUnsupported if the server refuses CLIENT TRACKING or RESP3,
// as some managed services do, or the user has no permission for it.
//
// With sentinels, before it reports that it is ready, Watch closes the connections of the
// Backend to other servers than the primary: an old primary may reply with old values until
// the driver has been told of the failover.
//
// With [Options.PublishChanges], Watch subscribes to what writers publish instead. It
// reports the writes and deletes of programs that set this option, and Clear. It does not
// report evictions, expiries and writes of other programs: bound the age of copies.
func (b *Backend) Watch(ctx context.Context, prefix string, grace time.Duration, notices driver.Notices) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	w := watch{b: b, prefix: prefix, interval: max(grace/watchTicks, time.Millisecond), notices: notices}
	err := w.run(ctx)
	var ended watchEnded
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case b.closed.Load():
		return driver.ErrClosed
	case errors.As(err, &ended), driver.IsUnsupported(err):
		return err
	}
	return b.failure(ctx, err, false)
}

// Every change that was made before a question was answered has been reported. So the
// oldest unreported change is an interval older than the oldest question without an
// answer, and both together are four intervals old. The fifth one is for timers that are
// late: with four intervals in grace, half of the changes after a cut were reported at the
// last moment.
const (
	watchTicks    = 5 // intervals in grace
	maxUnanswered = 3
)

// watchEnded is the reason why changes may have been missed although the servers reply.
type watchEnded string

func (e watchEnded) Error() string { return string(e) }

const (
	errFlushed = watchEnded("all entries were removed (FLUSHALL or FLUSHDB)")
	errMoved   = watchEnded("a primary was added or replaced")
)

// watch is one call of Watch.
type watch struct {
	b        *Backend
	prefix   string
	interval time.Duration
	notices  driver.Notices

	changing sync.Mutex // held while notices.Changed runs
}

func (w *watch) run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(w.b.open, func() { end(driver.ErrClosed) })()

	find, stop := w.b.primaries()
	defer stop()
	servers, err := find(ctx)
	if err != nil {
		return err
	}
	links, err := w.connect(ctx, servers)
	defer func() {
		for _, l := range links {
			l.close()
		}
	}()
	if err != nil {
		return err
	}
	if err := checkPrimaries(ctx, find, servers); err != nil {
		return err // there may have been changes on a new primary already
	}
	w.closeOthers(links)
	w.notices.Ready()

	var running sync.WaitGroup
	start := func(do func() error) {
		running.Go(func() {
			err := errors.New("the goroutine of a watch exited")
			defer func() { end(err) }()
			err = do()
		})
	}
	for _, l := range links {
		start(func() error { return l.read(w.changed) })
		start(func() error { return w.ask(ctx, l) })
	}
	start(func() error {
		return w.eachInterval(ctx, func() error { return checkPrimaries(ctx, find, servers) })
	})
	<-ctx.Done()
	for _, l := range links {
		l.close()
	}
	running.Wait()
	return context.Cause(ctx)
}

// connect opens a link to each server, and returns those that it could open.
func (w *watch) connect(ctx context.Context, servers map[string]goredis.Options) ([]*link, error) {
	begin := trackChanges(w.prefix)
	if w.b.publishes {
		begin = subscribeToChanges(w.prefix)
	}
	links, addrs := make([]*link, len(servers)), slices.Collect(maps.Keys(servers))
	errs := remote.Parallel(ctx, len(addrs), len(addrs), func(i int) (err error) {
		links[i], err = newLink(ctx, servers[addrs[i]], begin)
		if err != nil && len(addrs) > 1 {
			err = fmt.Errorf("%s: %w", addrs[i], err)
		}
		return err
	})
	links = slices.DeleteFunc(links, func(l *link) bool { return l == nil })
	for _, err := range errs {
		if err != nil {
			return links, err
		}
	}
	return links, nil
}

// closeOthers closes the connections of the Backend to servers that are not watched. What
// was read there, after Ready, could be older than the changes that are reported.
func (w *watch) closeOthers(links []*link) {
	if w.b.conns == nil {
		return
	}
	var addrs []string
	for _, l := range links {
		addrs = append(addrs, l.conn.RemoteAddr().String())
	}
	w.b.conns.closeOthers(addrs)
}

// changed reports the change of a key. Leases are not entries.
func (w *watch) changed(key string) {
	if isLeaseName(key) {
		return
	}
	w.changing.Lock()
	defer w.changing.Unlock()
	w.notices.Changed(key)
}

// ask asks the server of l in each interval whether it is still there.
func (w *watch) ask(ctx context.Context, l *link) error {
	asked, unanswered := int64(0), 0
	return w.eachInterval(ctx, func() error {
		if l.answers.Load() < asked {
			if unanswered++; unanswered == maxUnanswered {
				return fmt.Errorf("%s: %w", l.addr, errTimeout)
			}
			return nil
		}
		asked, unanswered = asked+1, 0
		return l.send(time.Now().Add(w.interval*maxUnanswered), "PING")
	})
}

func (w *watch) eachInterval(ctx context.Context, do func() error) error {
	ticker := time.NewTicker(w.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			if err := do(); err != nil {
				return err
			}
		}
	}
}

// checkPrimaries returns an error if there are other primaries than servers. It returns
// none if nobody can be asked: the links themselves notice whether their servers reply.
func checkPrimaries(ctx context.Context, find findPrimaries, servers map[string]goredis.Options) error {
	now, err := find(ctx)
	if err == nil && !maps.EqualFunc(now, servers, func(a, b goredis.Options) bool { return true }) {
		return errMoved
	}
	return nil
}

var (
	_ driver.Watcher        = (*Backend)(nil)
	_ driver.PartialWatcher = (*Backend)(nil)
)
