package cacheotel_test

import (
	"context"
	"fmt"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	cacheotel "github.com/cachebackends/cachebackends/observe/otel"
)

// Without an SDK the global providers record nothing; with one, this program exports spans
// and metrics.
func Example() {
	ctx := context.Background()
	c := cache.New(cachetest.NewStore(),
		cache.WithTracer(cacheotel.Tracer(nil)),
		cache.WithObserver(cacheotel.Observer(nil)))
	defer c.Close()
	stop, err := cacheotel.Register(nil, c)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	c.Set(ctx, "greeting", []byte("hello"))
	value, ok, err := c.Get(ctx, "greeting")
	fmt.Printf("%s %t %v\n", value, ok, err)
	// Output: hello true <nil>
}
