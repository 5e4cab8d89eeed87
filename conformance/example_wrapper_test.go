package conformance_test

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// compressed is a wrapper that compresses values. It embeds the operations of the
// backend that it wraps, with which it has every optional method, and overrides each
// method that has values.
type compressed struct{ *driver.Operations }

func compress(b driver.Backend) *compressed { return &compressed{driver.Resolve(b)} }

func (c *compressed) Get(ctx context.Context, key string) ([]byte, bool, error) {
	data, ok, err := c.Operations.Get(ctx, key)
	if !ok || err != nil {
		return nil, false, err
	}
	value, err := inflate(data)
	return value, err == nil, err
}

func (c *compressed) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	value, ok, err := c.Get(ctx, key)
	return append(dst, value...), ok, err
}

func (c *compressed) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	data, ttl, ok, err := c.Operations.GetWithTTL(ctx, key)
	if !ok || err != nil {
		return nil, 0, false, err
	}
	value, err := inflate(data)
	return value, ttl, err == nil, err
}

func (c *compressed) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls, err := c.Operations.GetManyWithTTL(ctx, keys)
	return values, ttls, inflateMany(keys, values, err)
}

func (c *compressed) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return c.Operations.Set(ctx, key, deflate(value), ttl)
}

func (c *compressed) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return c.Operations.Add(ctx, key, deflate(value), ttl)
}

func (c *compressed) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := c.Operations.GetMany(ctx, keys)
	return values, inflateMany(keys, values, err)
}

// inflateMany replaces the values of a batch, and adds those that are damaged to err.
func inflateMany(keys []string, values [][]byte, err error) error {
	var damaged driver.BatchError
	for i, data := range values {
		if data == nil {
			continue // a miss
		}
		var errInflate error
		if values[i], errInflate = inflate(data); errInflate != nil {
			damaged.Fail(keys[i], errInflate)
		}
	}
	return driver.MergeBatch(err, damaged.ErrorOrNil())
}

func (c *compressed) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	packed := make([]driver.Item, len(items))
	for i, item := range items {
		packed[i] = driver.Item{Key: item.Key, Value: deflate(item.Value)}
	}
	return c.Operations.SetMany(ctx, packed, ttl)
}

func (c *compressed) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	data, ok, token, err := c.Operations.Lease(ctx, key, hold)
	if !ok || err != nil {
		return nil, false, token, err
	}
	value, err := inflate(data)
	return value, err == nil, token, err
}

func (c *compressed) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	return c.Operations.Fill(ctx, key, token, deflate(value), ttl)
}

func (c *compressed) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return c.Operations.CompareAndSwap(ctx, key, deflate(old), deflate(value), ttl)
}

// Scan does not know the sizes of the values, which are compressed.
func (c *compressed) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return driver.MapEntries(c.Operations.Scan(ctx, prefix), func(entry driver.Entry) driver.Entry {
		entry.Size = -1
		return entry
	})
}

func (c *compressed) Name() string { return "compressed(" + c.Operations.Name() + ")" }

// Short values stay as they are, so that Inc of the backend reads them.
const (
	marker   = 0xF1
	shortest = 64
)

// writers are used again: each has tables of more than half a megabyte.
var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is valid
	}
	return w
}}

func deflate(value []byte) []byte {
	if len(value) < shortest && (len(value) == 0 || value[0] != marker) {
		return value
	}
	w := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	data := bytes.NewBuffer([]byte{marker})
	w.Reset(data)
	w.Write(value)
	w.Close()
	return data.Bytes()
}

func inflate(data []byte) ([]byte, error) {
	if len(data) == 0 || data[0] != marker {
		return data, nil
	}
	value, err := io.ReadAll(flate.NewReader(bytes.NewReader(data[1:])))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	return value, nil
}

// testCompressed runs the suite over the wrapper.
func testCompressed(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		NoReport: true, // it is not a backend of its own
		New:      func(*testing.T) driver.Backend { return compress(newReference()) },
		Bubble:   true,
		Stores: conformance.Stores{
			Reopen: func(_ *testing.T, first driver.Backend) driver.Backend {
				return compress(first.(*compressed).Backend.(*reference).reopen())
			},
			Bounded: func(_ *testing.T, entries int) driver.Backend { return compress(newBounded(entries)) },
		},
	})
}

func TestCompressed(t *testing.T) { testCompressed(t) }

// A wrapper is a backend: the suite runs over it as over the backend inside.
func ExampleRun_wrapper() {
	var t *testing.T // of a test of the wrapper
	testCompressed(t)
}
