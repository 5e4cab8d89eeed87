// The program tells the errors of a cache apart and acts on each.
package main

import (
	"context"
	"errors"
	"fmt"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

func explain(err error) string {
	var batch *cache.BatchError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &batch):
		return fmt.Sprintf("%d keys failed, the first is %q", len(batch.Failed), batch.Failed[0].Key)
	case errors.Is(err, cache.ErrUnknownOutcome):
		return "may have been written: read it, or delete the key"
	case errors.Is(err, cache.ErrUnavailable):
		return "not executed: continue without the cache"
	default:
		return err.Error()
	}
}

func main() {
	ctx := context.Background()
	store := cachetest.NewStore() // a store that fails on demand
	c := cache.New(store)
	defer c.Close()

	fmt.Println(explain(c.Set(ctx, "k", nil)))
	store.Lose("set", "")
	fmt.Println(explain(c.Set(ctx, "k", nil)))
	store.Fail("", "k", cache.ErrUnavailable)
	fmt.Println(explain(c.Set(ctx, "k", nil)))
	_, err := c.GetMany(ctx, "j", "k")
	fmt.Println(explain(err))
}
