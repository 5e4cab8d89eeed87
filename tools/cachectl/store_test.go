package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// shelf has the stores in memory that outlive an invocation of cachectl, by their name.
var shelf sync.Map

type shelfSettings struct {
	Name string `setting:"CACHE_SHELF_NAME" help:"name of the store" required:"true"`
}

func init() {
	driver.Register(driver.Info{Types: []string{"shelf"}, Settings: shelfSettings{}, Open: func(_ context.Context, s *driver.Settings) (driver.Backend, error) {
		var settings shelfSettings
		s.Bind(&settings)
		if err := s.Check(&settings); err != nil {
			return nil, err
		}
		store, _ := shelf.Load(settings.Name)
		return kept{store.(*cachetest.Store)}, nil
	}})
}

// kept is a store that Close does not close.
type kept struct{ *cachetest.Store }

func (kept) Close() error { return nil }

// memoryStore returns a store in memory with its settings as an environment.
func memoryStore(t *testing.T) (*cachetest.Store, []string) {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", ".") + fmt.Sprint(time.Now().UnixNano())
	store := cachetest.NewStore()
	shelf.Store(name, store)
	t.Cleanup(func() { shelf.Delete(name) })
	return store, []string{"CACHE_TYPE=shelf", "CACHE_SHELF_NAME=" + name}
}

// fill stores n entries that expire and returns their keys.
func fill(t *testing.T, store *cachetest.Store, n int) map[string]string {
	t.Helper()
	values := make(map[string]string)
	for i := range n {
		key, value := fmt.Sprintf("k%d", i), strings.Repeat("v", i%100)
		values[key] = value
		if err := store.Set(t.Context(), key, []byte(value), time.Duration(i%3)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// contents returns the values in the store by key.
func contents(t *testing.T, store *cachetest.Store) map[string]string {
	t.Helper()
	values := make(map[string]string)
	for entry, err := range cache.New(kept{store}).Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		value, _, err := store.Get(t.Context(), entry.Key)
		if err != nil {
			t.Fatal(err)
		}
		values[entry.Key] = string(value)
	}
	return values
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
