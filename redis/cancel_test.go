package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// A call that is cancelled while the server is silent says so, and returns at the read
// timeout, or at once if it shares a round trip.
func TestCancelWithoutDeadline(t *testing.T) {
	silent := func(f *fake, command string) func(int, []string) string {
		return func(n int, args []string) string {
			if strings.EqualFold(args[0], command) {
				return silence
			}
			return healthy(func() string { return f.addr })(n, args)
		}
	}
	for name, open := range map[string]func(f *fake, timeout time.Duration) *Backend{
		"one server": func(f *fake, timeout time.Duration) *Backend {
			return start(t, Options{Addr: f.addr, ReadTimeout: timeout, AllowFlush: true})
		},
		"cluster": func(f *fake, timeout time.Duration) *Backend {
			return start(t, Options{Cluster: []string{f.addr}, ReadTimeout: timeout, AllowFlush: true})
		},
		"borrowed": func(f *fake, timeout time.Duration) *Backend {
			return borrow(t, goredis.NewClient(&goredis.Options{Addr: f.addr, ReadTimeout: timeout, PipelinePoolSize: -1}))
		},
		"borrowed cluster": func(f *fake, timeout time.Duration) *Backend {
			return borrow(t, goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{f.addr}, ReadTimeout: timeout, PipelinePoolSize: -1}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range verbs {
				if v.name == "Ping" {
					continue // the set-up of a connection sends it too
				}
				command := v.command
				if command == "mget" && strings.Contains(name, "cluster") {
					command = "get" // MGET cannot span slots
				}
				withTimeouts(t, func(timeout time.Duration) error {
					f := startHealthy(t, nil)
					f.mu.Lock()
					f.answer = silent(f, command)
					f.mu.Unlock()
					b := open(f, timeout)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					go func() {
						waitFor(t, command, func() bool { return f.count(command) > 0 })
						cancel()
					}()
					begin := time.Now()
					err := v.call(ctx, b)
					if took := time.Since(begin); took > 2*timeout {
						return fmt.Errorf("%s with a read timeout of %v took %v", v.name, timeout, took)
					}
					if !errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrUnknownOutcome) != v.write {
						return fmt.Errorf("%s: %v; want Canceled, and an unknown outcome: %v", v.name, err, v.write)
					}
					return nil
				})
			}
		})
	}
}
