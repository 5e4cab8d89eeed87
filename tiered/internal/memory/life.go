package memory

import (
	"context"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Far is a [Store] with remaining TTLs and notices.
type Far struct{ *Store }

// NewFar returns an empty Far.
func NewFar() Far { return Far{New()} }

// Name is the name in errors.
func (Far) Name() string { return "far" }

func (f Far) GetWithTTL(_ context.Context, key string) ([]byte, time.Duration, bool, error) {
	i, left, ok, err := f.get("get_ttl", key)
	if !ok || err != nil {
		return nil, 0, false, err
	}
	data, err := i.bytes()
	return data, left, err == nil, err
}

func (f Far) GetManyWithTTL(_ context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	err := f.do("get_many_ttl", strings.Join(keys, " "), func() {
		for n, key := range keys {
			i, _ := f.find(key)
			values[n], _ = i.bytes()
			ttls[n] = i.left()
		}
	})
	return values, ttls, err
}

// Lives is a [Store] with remaining TTLs and without notices.
type Lives struct{ Far }

// Watch hides that of Far: its signature is another one.
func (Lives) Watch() {}

var (
	_ driver.LifeGetter     = Far{}
	_ driver.ManyLifeGetter = Far{}
	_ driver.Watcher        = Far{}
	_ driver.LifeGetter     = Lives{}
)
