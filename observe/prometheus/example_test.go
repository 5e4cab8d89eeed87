package cacheprom_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	cacheprom "github.com/cachebackends/cachebackends/observe/prometheus"
)

func Example() {
	ctx := context.Background()
	reg := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	c := cache.New(cachetest.NewStore(), cache.WithObserver(cacheprom.Observer(reg)))
	defer c.Close()
	reg.MustRegister(cacheprom.Collector(c))

	c.Set(ctx, "greeting", []byte("hello"))
	c.GetMany(ctx, "greeting", "name")

	families, _ := reg.Gather()
	for _, f := range families {
		fmt.Println(f.GetName())
	}
	// Output:
	// cache_entries
	// cache_lookups_total
	// cache_operation_duration_seconds
	// cache_size_bytes
	// cache_up
	// cache_value_bytes_total
}
