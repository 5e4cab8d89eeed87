package conformance_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// MyCustomCache is a backend of six methods. TestMyCustomCache, in this package,
// runs the suite over it.
type MyCustomCache struct {
	mu      sync.Mutex
	entries map[string]myEntry // nil when closed
}

type myEntry struct {
	value   []byte
	expires time.Time // zero: never
}

func NewMyCustomCache() *MyCustomCache { return &MyCustomCache{entries: map[string]myEntry{}} }

// use runs f under the lock, unless the cache is closed.
func (m *MyCustomCache) use(f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		return driver.ErrClosed
	}
	f()
	return nil
}

func (m *MyCustomCache) find(key string) (value []byte, ok bool) {
	e, ok := m.entries[key]
	return e.value, ok && (e.expires.IsZero() || time.Now().Before(e.expires))
}

func (m *MyCustomCache) put(key string, value []byte, ttl time.Duration) {
	e := myEntry{value: append([]byte{}, value...)}
	if ttl > 0 {
		e.expires = time.Now().Add(ttl)
	}
	m.entries[key] = e
}

func (m *MyCustomCache) Get(_ context.Context, key string) (value []byte, ok bool, err error) {
	err = m.use(func() { value, ok = m.find(key) })
	return value, ok, err
}

func (m *MyCustomCache) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	return m.use(func() { m.put(key, value, ttl) })
}

func (m *MyCustomCache) Add(_ context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	err = m.use(func() {
		if _, ok := m.find(key); !ok {
			m.put(key, value, ttl)
			added = true
		}
	})
	return added, err
}

func (m *MyCustomCache) Delete(_ context.Context, key string) (deleted bool, err error) {
	err = m.use(func() {
		_, deleted = m.find(key)
		delete(m.entries, key)
	})
	return deleted, err
}

func (m *MyCustomCache) Clear(context.Context) error { return m.use(func() { clear(m.entries) }) }

func (m *MyCustomCache) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = nil
	return nil
}

// A program opens the backend by the name with which it was registered.
func init() {
	driver.Register(driver.Info{
		Types:   []string{"mycustom"},
		Aliases: map[string]string{"myapp.cache.MyCustomCache": "mycustom"},
		Open: func(context.Context, *driver.Settings) (driver.Backend, error) {
			return NewMyCustomCache(), nil
		},
	})
}

func Example() {
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{"CACHE_TYPE": "myapp.cache.MyCustomCache"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	err = c.Set(ctx, "greeting", []byte("hello"))
	value, ok, _ := c.Get(ctx, "greeting")
	fmt.Println(string(value), ok, err)
	// Output: hello true <nil>
}
