package loadertest

import (
	"context"
	"errors"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
)

var endRules = []Rule{{
	ID: "LOA-37", Rule: "Close cancels the loads and returns when they have ended",
	Why: "Loads that still run after Close use connections that the program has closed.",
	run: func(a *attempt) {
		s := newSource()
		l := a.expired(s, loader.Policy{Fresh: long, Stale: long, Backoff: long})
		defer s.shut()()
		a.want(l, "k", "k#1")
		waits := a.start(l, "absent")
		a.wantCalls(s, 3)
		a.must(l.Close())
		if n := s.runningNow(); n != 0 {
			a.fatalf("%d loads run after Close", n)
		}
		if g := a.receive(waits); !errors.Is(g.err, cache.ErrClosed) {
			a.fatalf("Get = %+v, want ErrClosed", g)
		}
		a.wantError(l, "absent", cache.ErrClosed)
		a.must(l.Close())
	},
}, {
	ID: "LOA-38", Rule: "a load is cancelled when all callers have left, unless it runs in the background",
	Why: "The source works for requests that were cancelled.",
	run: func(a *attempt) {
		began, ended := make(chan struct{}), make(chan error, 1)
		l := a.loader(a.one, loader.Policy{Fresh: long}, func(ctx context.Context, key string) (string, error) {
			close(began)
			<-ctx.Done()
			ended <- ctx.Err()
			return "", ctx.Err()
		})
		ctx, cancel := context.WithCancel(a.ctx)
		left := make(chan error, 1)
		go func() {
			_, err := l.Get(ctx, "k")
			left <- err
		}()
		<-began
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			a.fatalf("Get = %v, want %v", err, context.Canceled)
		}
		select {
		case <-ended:
		case <-time.After(patience):
			a.fatalf("the load goes on")
		}
	},
}}
