package loads

import (
	"context"
	"strconv"
	"time"

	gocache "github.com/eko/gocache/lib/v4/cache"
	gocachestore "github.com/eko/gocache/lib/v4/store"
	gocacheredis "github.com/eko/gocache/store/redis/v4"
	"github.com/maypok86/otter/v2"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidisaside"
	"github.com/viccon/sturdyc"
)

// Peers serve old values while one is loaded, and when the source is down, if they can.

const inProcess = "a store that processes share: each loads by itself"

var otterLoading = way{name: "otter", lacks: inProcess + "; a backoff", alone: true, open: func(t target) (process, error) {
	c, err := otter.New(&otter.Options[string, int64]{
		MaximumSize:       1000,
		ExpiryCalculator:  otter.ExpiryWriting[string, int64](time.Hour),
		RefreshCalculator: otter.RefreshWriting[string, int64](fresh),
		Logger:            &otter.NoopLogger{},
	})
	if err != nil {
		return process{}, err
	}
	load := otter.LoaderFunc[string, int64](func(ctx context.Context, _ string) (int64, error) { return t.load(ctx) })
	return process{
		get:   func() (int64, error) { return c.Get(ctx, t.key, load) },
		close: func() { c.StopAllGoroutines() },
	}, nil
}}

var sturdycFetching = way{name: "sturdyc", lacks: inProcess, alone: true, open: func(t target) (process, error) {
	c := sturdyc.New[int64](1000, 8, time.Hour, 10, sturdyc.WithNoContinuousEvictions(),
		sturdyc.WithEarlyRefreshes(fresh, fresh, time.Hour, backoff), sturdyc.WithLog(&sturdyc.NoopLogger{}))
	return process{
		get:   func() (int64, error) { return c.GetOrFetch(ctx, t.key, t.load) },
		close: func() {},
	}, nil
}}

var rueidisAside = way{name: "rueidisaside", lacks: "old values while one is loaded or the source is down; hits come from its memory, which the server invalidates", open: func(t target) (process, error) {
	c, err := rueidisaside.NewClient(rueidisaside.ClientOption{ClientOption: rueidis.ClientOption{InitAddress: []string{t.addr}, ForceSingleClient: true}})
	if err != nil {
		return process{}, err
	}
	return process{
		get: func() (int64, error) {
			return number(c.Get(ctx, fresh, t.key, func(ctx context.Context, _ string) (string, error) { return text(t.load(ctx)) }))
		},
		close: c.Close,
	}, nil
}}

var gocacheLoadable = way{name: "gocache-loadable", lacks: "one load over all processes; old values while one is loaded or the source is down; calls for the same key share one request", open: func(t target) (process, error) {
	client := goredis.NewClient(&goredis.Options{Addr: t.addr})
	c := gocache.NewLoadable(func(ctx context.Context, _ any) (string, []gocachestore.Option, error) {
		value, err := text(t.load(ctx))
		return value, nil, err
	}, gocache.New[string](gocacheredis.NewRedis(client, gocachestore.WithExpiration(fresh))))
	return process{
		get:   func() (int64, error) { return number(c.Get(ctx, t.key)) },
		close: func() { c.Close(); client.Close() },
	}, nil
}}

// text returns a value for clients that store texts, and number is its reverse.
func text(began int64, err error) (string, error) { return strconv.FormatInt(began, 10), err }

func number(text string, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}
