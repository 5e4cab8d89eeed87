package uwsgi

import (
	"errors"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

// A worker that is killed before it executes a delete closes the connection, as the server
// does if another caller was faster.
func TestDeleteWithoutReply(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{}), t.Context()
	for name, c := range map[string]struct {
		fault   func(*call) bool
		deleted bool
		err     error
		left    string
		sends   int
	}{
		"killed once":        {times(1, "del", refuse), true, nil, "", 4},
		"killed every time":  {times(100, "del", refuse), false, driver.ErrUnknownOutcome, "v", 1 + 2*maxDeletes},
		"deleted by another": {times(1, "del", f.store(nil)), false, nil, "", 3},
		"replaced":           {times(1, "del", f.store([]byte("new"))), false, nil, "new", 3},
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.Set(ctx, "k", []byte("v"), 0); err != nil {
				t.Fatal(err)
			}
			f.commands()
			f.set(func(f *fake) { f.fault = c.fault })
			deleted, err := b.Delete(ctx, "k")
			f.set(func(f *fake) { f.fault = nil })
			if deleted != c.deleted || !errors.Is(err, c.err) {
				t.Errorf("Delete = %v, %v; want %v, %v", deleted, err, c.deleted, c.err)
			}
			if log := f.commands(); len(log) != c.sends {
				t.Errorf("%d requests, want %d: %q", len(log), c.sends, log)
			}
			if value, _, err := b.Get(ctx, "k"); string(value) != c.left || err != nil {
				t.Errorf("Get = %q, %v; want %q", value, err, c.left)
			}
		})
	}
}

// store returns a strike that stores value as another caller, or removes the entry if value
// is nil.
func (f *fake) store(value []byte) func(*call) {
	return func(c *call) {
		f.set(func(f *fake) {
			delete(f.items, c.key)
			if value != nil {
				f.items[c.key] = entry{found: true, value: value}
			}
		})
	}
}
