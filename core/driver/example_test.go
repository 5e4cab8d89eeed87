package driver_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// Options of a backend. The tags declare the settings that they come from.
type Options struct {
	Addr     string        `setting:"CACHE_SHELF_ADDR" default:"localhost:7000" help:"address of the server"`
	Password driver.Secret `setting:"CACHE_SHELF_PASSWORD" help:"password"`
	Timeout  time.Duration `option:"timeout" default:"3s" min:"1ms" help:"of one call"`
}

// Backend is a shelf of one value, enough for an example.
type Backend struct {
	options Options
	value   []byte
}

func New(_ context.Context, o Options) (*Backend, error) {
	if err := driver.Complete(&o); err != nil {
		return nil, fmt.Errorf("shelf: %w", err)
	}
	return &Backend{options: o}, nil
}

func (b *Backend) Get(context.Context, string) ([]byte, bool, error) {
	return b.value, b.value != nil, nil
}
func (b *Backend) Set(_ context.Context, _ string, value []byte, _ time.Duration) error {
	b.value = value
	return nil
}
func (b *Backend) Add(context.Context, string, []byte, time.Duration) (bool, error) {
	return false, nil
}
func (b *Backend) Delete(context.Context, string) (bool, error) { return false, nil }
func (b *Backend) Clear(context.Context) error                  { return nil }
func (b *Backend) Close() error                                 { return nil }

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var o Options
	s.Bind(&o)
	if err := s.Check(&o); err != nil {
		return nil, err
	}
	return New(ctx, o)
}

func init() {
	driver.Register(driver.Info{Types: []string{"shelf"}, Aliases: map[string]string{"myapp.cache.Shelf": "shelf"}, Settings: Options{}, Open: open})
}

// A backend declares its settings as tags of its Options and registers itself.
func ExampleRegister() {
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{"CACHE_TYPE": "myapp.cache.Shelf", "CACHE_OPTIONS": `{"timeout": 2}`}))
	if err != nil {
		fmt.Println(err)
		return
	}
	b := c.Backend().(*Backend)
	fmt.Println(b.options.Addr, b.options.Timeout)

	_, err = cache.Open(ctx, cache.FromMap(map[string]any{"CACHE_TYPE": "shelf", "CACHE_SHELF_ADRR": "x", "CACHE_OPTIONS": `{"timeout": "0.1ms"}`}))
	fmt.Println(err)
	// Output:
	// localhost:7000 2s
	// cache: invalid settings: CACHE_OPTIONS.timeout (Options.Timeout): 100µs is too small: at least 1ms
	// CACHE_SHELF_ADRR: no such setting; did you mean CACHE_SHELF_ADDR?
}

// counting is a wrapper that counts reads. It has every optional method of the
// wrapped backend.
type counting struct {
	*driver.Operations
	gets atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.gets.Add(1)
	return c.Operations.Get(ctx, key)
}

// A wrapper embeds the operations of another backend and overrides some.
func ExampleResolve() {
	ctx := context.Background()
	b, _ := New(ctx, Options{})
	counter := &counting{Operations: driver.Resolve(b)}
	c := cache.New(counter)
	c.Set(ctx, "k", []byte("v"))
	c.Get(ctx, "k")
	_, err := c.Inc(ctx, "n", 1)
	fmt.Println(counter.gets.Load(), c.Name(), errors.Is(err, errors.ErrUnsupported))
	// Output: 1 driver_test true
}
