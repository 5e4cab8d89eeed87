package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

type account struct {
	Name  string
	Plan  string
	Seats int
}

// Settings choose the backend; the program is the same for all of them.
func ExampleOpen() {
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE":            "example", // "redis", after import _ ".../redis"
		"CACHE_KEY_PREFIX":      "shop:",
		"CACHE_DEFAULT_TIMEOUT": "10m",
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(c.Set(ctx, "greeting", []byte("hello")))
	value, ok, err := c.Get(ctx, "greeting")
	fmt.Printf("%s %v %v\n", value, ok, err)
	// Output:
	// <nil>
	// hello true <nil>
}

// All mistakes in the settings are reported at once.
func ExampleOpen_mistakes() {
	_, err := cache.Open(context.Background(), cache.FromMap(map[string]any{
		"CACHE_TYPE":           "example",
		"CACHE_DEFAULT_TIMOUT": 60,
		"CACHE_IGNORE_ERRORS":  "perhaps",
	}))
	fmt.Println(err)
	// Output:
	// cache: invalid settings: CACHE_IGNORE_ERRORS: "perhaps" is not true or false
	// CACHE_DEFAULT_TIMOUT: no such setting; did you mean CACHE_DEFAULT_TIMEOUT?
}

func ExampleOf() {
	ctx := context.Background()
	accounts := cache.Of[account](cache.New(newFake()))

	err := accounts.Set(ctx, "42", account{"Ada", "team", 3}, cache.Timeout(time.Hour))
	fmt.Println(err)
	ada, ok, err := accounts.Get(ctx, "42")
	fmt.Println(ada.Name, ada.Seats, ok, err)
	_, ok, err = accounts.Get(ctx, "43")
	fmt.Println(ok, err)
	// Output:
	// <nil>
	// Ada 3 true <nil>
	// false <nil>
}

func ExampleView_GetOrSet() {
	ctx := context.Background()
	accounts := cache.Of[account](cache.New(newFake()))
	load := func(context.Context) (account, error) {
		fmt.Println("asking the database")
		return account{Name: "Ada"}, nil
	}
	for range 2 {
		ada, err := accounts.GetOrSet(ctx, "42", load)
		fmt.Println(ada.Name, err)
	}
	// Output:
	// asking the database
	// Ada <nil>
	// Ada <nil>
}

// Two processes share a store. The second one does not load what the first one is
// loading: it waits for the value.
func ExampleLease() {
	ctx := context.Background()
	store := newLeasing() // redis, memcached, filesystem, ...
	loading := make(chan struct{})
	first := cache.Of[account](cache.New(store))
	second := cache.Of[account](cache.New(store))
	go func() {
		<-loading
		ada, err := second.GetOrSet(ctx, "42", func(context.Context) (account, error) {
			fmt.Println("not called")
			return account{}, nil
		}, cache.Lease(10*time.Second))
		<-loading
		fmt.Println("second:", ada.Name, err)
		loading <- struct{}{}
	}()
	ada, err := first.GetOrSet(ctx, "42", func(context.Context) (account, error) {
		loading <- struct{}{}
		fmt.Println("asking the database")
		return account{Name: "Ada"}, nil
	}, cache.Lease(10*time.Second))
	fmt.Println("first:", ada.Name, err)
	loading <- struct{}{}
	<-loading
	// Output:
	// asking the database
	// first: Ada <nil>
	// second: Ada <nil>
}

func ExampleCache_Inc() {
	ctx := context.Background()
	c := cache.New(newRich())
	for range 3 {
		visits, err := c.Inc(ctx, "visits", 1, cache.Timeout(time.Minute))
		fmt.Println(visits, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

func ExampleCache_GetDict() {
	ctx := context.Background()
	c := cache.New(newFake())
	fmt.Println(c.SetMany(ctx, map[string][]byte{"a": []byte("1"), "b": []byte("2")}))
	hits, err := c.GetDict(ctx, "a", "b", "c")
	fmt.Printf("%s %v\n", hits, err)
	deleted, err := c.DeleteMany(ctx, "c", "b")
	fmt.Println(deleted, err)
	// Output:
	// <nil>
	// map[a:1 b:2] <nil>
	// [b] <nil>
}

// An observer makes metrics and logs.
func ExampleWithObserver() {
	ctx := context.Background()
	c := cache.New(newFake(), cache.WithObserver(func(_ context.Context, e cache.Event) {
		fmt.Println(e.Op, "hits:", e.Hits, "misses:", e.Misses, "bytes:", e.Bytes)
	}))
	c.Get(ctx, "k")
	c.Set(ctx, "k", []byte("hello"))
	c.Get(ctx, "k")
	// Output:
	// get hits: 0 misses: 1 bytes: 0
	// set hits: 0 misses: 0 bytes: 5
	// get hits: 1 misses: 0 bytes: 5
}

// Errors match the same sentinels on every backend.
func ExampleError() {
	err := cache.New(newFake()).Set(context.Background(), "k", nil, cache.Timeout(-time.Second))
	fmt.Println(err)
	fmt.Println(errors.Is(err, cache.ErrInvalidTimeout))
	// Output:
	// cache: cache_test.fake set "k": invalid timeout: -1s is negative (0 never expires)
	// true
}

// A failure of the store is a miss for the program; the observer receives the error.
func ExampleWithIgnoreErrors() {
	ctx := context.Background()
	broken := newFake()
	broken.fail = func(string) error { return cache.ErrUnavailable }
	c := cache.New(broken, cache.WithIgnoreErrors(), cache.WithObserver(func(_ context.Context, e cache.Event) {
		fmt.Println("observed:", e.Op, e.Err)
	}))

	_, ok, err := c.Get(ctx, "k")
	fmt.Println(ok, err)
	// Output:
	// observed: get store is unavailable
	// false <nil>
}

// A batch stores what it can and names the keys that failed.
func ExampleBatchError() {
	ctx := context.Background()
	store := newFake()
	store.fail = func(key string) error {
		if key == "big" {
			return cache.ErrTooLarge
		}
		return nil
	}
	err := cache.New(store).SetMany(ctx, map[string][]byte{"small": []byte("1"), "big": []byte("2")})
	var batch *cache.BatchError
	if errors.As(err, &batch) {
		for _, failed := range batch.Failed {
			fmt.Println(failed.Key, failed.Err)
		}
	}
	// Output: big value too large
}

// upper is a codec of the program's own.
type upper struct{}

func (upper) Marshal(value any) ([]byte, error) {
	return []byte(strings.ToUpper(value.(*account).Name)), nil
}

func (upper) Unmarshal(data []byte, target any) error {
	*target.(*account) = account{Name: string(data)}
	return nil
}

func ExampleCodec() {
	ctx := context.Background()
	accounts := cache.Of[account](cache.New(newFake(), cache.WithCodec(upper{})))
	fmt.Println(accounts.Set(ctx, "42", account{Name: "Ada"}))
	ada, ok, err := accounts.Get(ctx, "42")
	fmt.Println(ada.Name, ok, err)
	// Output:
	// <nil>
	// ADA true <nil>
}

func init() {
	driver.Register(driver.Info{
		Types: []string{"example"},
		Open:  func(context.Context, *driver.Settings) (driver.Backend, error) { return newFake(), nil },
	})
}
