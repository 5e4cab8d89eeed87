package loader_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/loader"
)

// The examples use a store in memory. Programs open a backend of their choice.
func open() *cache.Cache { return cache.New(cachetest.NewStore()) }

// A page under load: every caller gets the page at once, also while it is rendered again.
func Example() {
	ctx := context.Background()
	renderings := 0
	pages := loader.New(open(), loader.Policy{
		Fresh: time.Minute,
		Stale: time.Hour,        // served at once while it is rendered in the background
		Lease: 10 * time.Second, // one rendering over all processes
	}, func(ctx context.Context, path string) (string, error) {
		renderings++
		return fmt.Sprintf("<h1>%s, version %d</h1>", path, renderings), nil
	})
	defer pages.Close()

	page, err := pages.Get(ctx, "/news")
	fmt.Println(page, err)

	// The news has changed: the old page is stale, and the next call renders it in the
	// background.
	if err := pages.Expire(ctx, "/news"); err != nil {
		fmt.Println(err)
	}
	page, err = pages.Get(ctx, "/news")
	fmt.Println(page, err)

	// Refresh does not use the stored page.
	page, err = pages.Refresh(ctx, "/offers")
	fmt.Println(err == nil, page != "")
	// Output:
	// <h1>/news, version 1</h1> <nil>
	// <h1>/news, version 1</h1> <nil>
	// true true
}

// An outage of an API: for an hour callers get the last known rates, and the API is called
// once in ten seconds.
func Example_outage() {
	ctx := context.Background()
	down, calls := false, 0
	rates := loader.New(open(), loader.Policy{
		Fresh:    time.Millisecond,
		Rescue:   time.Hour,
		Patience: 200 * time.Millisecond, // then callers get the last rate
		Limit:    5 * time.Second,
		Backoff:  10 * time.Second,
		OnError: func(_ context.Context, key string, err error) {
			log.Printf("cannot load %s: %v", key, err)
		},
	}, func(ctx context.Context, currency string) (float64, error) {
		if calls++; down {
			return 0, errors.New("503 Service Unavailable")
		}
		return 1.25, nil
	})
	defer rates.Close()

	fmt.Println(rates.Get(ctx, "EUR"))
	down = true
	time.Sleep(2 * time.Millisecond)
	for range 3 {
		fmt.Println(rates.Get(ctx, "EUR"))
	}
	fmt.Println(calls, "calls")
	// Output:
	// 1.25 <nil>
	// 1.25 <nil>
	// 1.25 <nil>
	// 1.25 <nil>
	// 2 calls
}

// Negative caching: the database is asked once for a user that does not exist.
func Example_missing() {
	ctx := context.Background()
	users := loader.New(open(), loader.Policy{
		Fresh:   time.Minute,
		Missing: 10 * time.Second,
	}, func(ctx context.Context, id string) (string, error) {
		fmt.Println("SELECT name FROM users WHERE id =", id)
		return "", loader.ErrMissing // sql.ErrNoRows of the database
	})
	defer users.Close()

	for range 2 {
		_, err := users.Get(ctx, "42")
		fmt.Println(errors.Is(err, loader.ErrMissing))
	}
	// Output:
	// SELECT name FROM users WHERE id = 42
	// true
	// true
}

// Invalidation by tag: a change of one product removes every page that shows it.
func ExampleInvalidate() {
	ctx := context.Background()
	c := open()
	price := 10
	pages := loader.New(c, loader.Policy{Fresh: time.Hour}, func(ctx context.Context, path string) (string, error) {
		loader.Tag(ctx, "product-7") // before the price is read
		return fmt.Sprintf("%s: %d EUR", path, price), nil
	})
	defer pages.Close()

	fmt.Println(pages.Get(ctx, "/home"))
	fmt.Println(pages.Get(ctx, "/offers"))
	price = 12
	if err := loader.Invalidate(ctx, c, "product-7"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(pages.Get(ctx, "/home"))
	fmt.Println(pages.Get(ctx, "/offers"))
	// Output:
	// /home: 10 EUR <nil>
	// /offers: 10 EUR <nil>
	// /home: 12 EUR <nil>
	// /offers: 12 EUR <nil>
}

// The source returns how long a token is valid.
func ExampleLife() {
	ctx := context.Background()
	tokens := loader.New(open(), loader.Policy{Fresh: time.Minute}, func(ctx context.Context, scope string) (string, error) {
		expires := time.Now().Add(3600 * time.Second) // of the reply
		loader.Life(ctx, time.Until(expires)-time.Minute)
		return "token for " + scope, nil
	})
	defer tokens.Close()

	fmt.Println(tokens.Get(ctx, "read"))
	// Output: token for read <nil>
}
