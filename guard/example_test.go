package guard_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/guard"
)

// A store whose server is down costs callers no time after the first faults: GetOrSet
// loads at once.
func Example() {
	ctx := context.Background()
	b, err := guard.New(unreachable(), guard.Options{Budget: 50 * time.Millisecond, Faults: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cache.New(b)
	defer c.Close()

	for range 4 {
		user, err := cache.Of[string](c).GetOrSet(ctx, "42", func(context.Context) (string, error) { return "Ada", nil })
		fmt.Println(user, err)
	}
	_, _, err = c.Get(ctx, "42")
	fmt.Println(errors.Is(err, cache.ErrUnavailable))
	// Output:
	// Ada <nil>
	// Ada <nil>
	// Ada <nil>
	// Ada <nil>
	// true
}

// unreachable returns a backend whose server refuses connections.
func unreachable() driver.Backend {
	s := newStore()
	s.failWith(errRefused)
	return s
}
