package coherence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
	"github.com/cachebackends/cachebackends/tiered"
	"github.com/redis/rueidis"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

var ctx = context.Background()

const (
	prefix = "key:" // of all keys of package workload

	// Grace is the time until near is empty after notices have stopped.
	Grace = 500 * time.Millisecond
)

// client is one process: what it reads, it keeps in its memory until it is changed.
type client struct {
	get   func(key string) (string, error) // "" is a miss
	set   func(key, value string) error
	close func()
}

// way is one way to keep the memory of a process coherent with a redis server.
type way struct {
	name, lacks string
	ours        bool
	open        func(addr string) (client, error)
}

var (
	byTracking = way{"tiered", "nothing: `simple` before redis, with CLIENT TRACKING", true, func(addr string) (client, error) {
		return openTiered(addr, redis.Options{}, nil)
	}}
	byPublication = way{"tiered-publish", "writes of other programs, evictions: publish_changes of redis", true, func(addr string) (client, error) {
		return openTiered(addr, redis.Options{PublishChanges: true}, nil)
	}}
	rueidisTracking  = way{"rueidis", "a hit of a decoded value: DoCache; the server remembers the keys that a client has read", false, openRueidis()}
	rueidisBroadcast = way{"rueidis-broadcast", "as rueidis, with CLIENT TRACKING in broadcasting mode", false, openRueidis("PREFIX", prefix, "BCAST")}
)

// openTiered returns when notices arrive, from watch or, if it is nil, from far.
func openTiered(addr string, o redis.Options, watch *redis.Backend) (client, error) {
	o.Addr = addr
	far, err := redis.New(ctx, o)
	if err != nil {
		return client{}, err
	}
	near, err := simple.New(ctx, simple.Options{})
	if err != nil {
		return client{}, err
	}
	settings := tiered.Options{NearTTL: workload.Life, Grace: Grace, Prefix: prefix, OnLost: func(error) {}}
	if watch != nil {
		settings.Watch = watch
	}
	b, err := tiered.New(near, far, settings)
	if err != nil {
		return client{}, err
	}
	for end := time.Now().Add(10 * time.Second); !b.Watching(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return client{}, errors.Join(errors.New("no notices of changes within 10 s"), b.Close())
		}
	}
	return viewOf(b), nil
}

// viewOf reads and writes values that b keeps as they are.
func viewOf(b cache.Backend) client {
	c := cache.New(b, cache.WithDefaultTimeout(workload.Life))
	v := cache.Of[string](c, cache.WithoutEncoding())
	return client{
		get: func(key string) (string, error) {
			value, _, err := v.Get(ctx, key)
			return value, err
		},
		set:   func(key, value string) error { return v.Set(ctx, key, value) },
		close: func() { c.Close() },
	}
}

func openRueidis(tracking ...string) func(addr string) (client, error) {
	return func(addr string) (client, error) {
		c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, ClientTrackingOptions: tracking})
		if err != nil {
			return client{}, err
		}
		return client{
			get: func(key string) (string, error) {
				value, err := c.DoCache(ctx, c.B().Get().Key(key).Cache(), workload.Life).ToString()
				if rueidis.IsRedisNil(err) {
					err = nil
				}
				return value, err
			},
			set: func(key, value string) error {
				return c.Do(ctx, c.B().Set().Key(key).Value(value).Ex(workload.Life).Build()).Error()
			},
			close: c.Close,
		}, nil
	}
}

// await reads key until it has the value.
func (c client) await(key, value string) error {
	const limit = 30 * time.Second
	for begin := time.Now(); ; time.Sleep(10 * time.Microsecond) {
		got, err := c.get(key)
		if err == nil && got == value {
			return nil
		}
		if time.Since(begin) > limit {
			return fmt.Errorf("%s is %q after %v: %w", key, got, limit, errors.Join(err, os.ErrDeadlineExceeded))
		}
	}
}
