package uwsgi

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

func TestAddWaitsForSweep(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{})
	f.expired("k")
	f.fault = func(c *call) bool {
		if c.command == "set" && len(f.commandsLike("set k")) == 3 {
			f.set(func(f *fake) { delete(f.items, "k") })
		}
		return false
	}
	if added, err := b.Add(t.Context(), "k", []byte("new"), 0); !added || err != nil {
		t.Errorf("Add = %v, %v; the commands were %q", added, err, f.commands())
	}
	if log := f.commands(); slices.Contains(log, "del k") || slices.Contains(log, "update k") {
		t.Errorf("%q: the client removed the expired entry", log)
	}
}

// The context of an Add ends while it waits. On a busy machine it may end a moment later,
// when the next request is under way: then the outcome is unknown.
func TestAddIsCancelledBeforeSweep(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{})
	f.expired("k")
	for try := 1; ; try++ {
		ctx, cancel := context.WithCancel(t.Context())
		f.set(func(f *fake) {
			f.fault = func(c *call) bool {
				if c.command == "get" {
					c.conn.Write(f.execute(c))
					c.conn.Read(make([]byte, 1)) // until the client closes the connection
					cancel()
				}
				return c.command == "get"
			}
		})
		added, err := b.Add(ctx, "k", nil, 0)
		if added || !errors.Is(err, context.Canceled) {
			t.Fatalf("Add of an expired key that the server keeps = %v, %v", added, err)
		}
		if !errors.Is(err, driver.ErrUnknownOutcome) {
			return
		}
		if try == 20 {
			t.Fatalf("Add of an expired key that the server keeps: %v; want nothing under way", err)
		}
	}
}

// commandsLike returns the entries of the log that equal command.
func (f *fake) commandsLike(command string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.log), func(c string) bool { return c != command })
}

// A key that other callers add and delete all the time does not mean a full cache. Add
// returns false only if it has read their entry.
func TestAddOfContestedKey(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{})
	refused := times(5, "set", refuse) // present for Add, absent for the read
	f.fault = func(c *call) bool { return c.key == "k" && refused(c) }
	if added, err := b.Add(t.Context(), "k", nil, 0); !added || err != nil {
		t.Errorf("Add = %v, %v; want true, because no read has seen an entry", added, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.set(func(f *fake) {
		f.fault = func(c *call) bool {
			if c.key == "l" && len(f.commandsLike("set l")) == 5 {
				cancel()
			}
			return c.key == "l"
		}
	})
	if added, err := b.Add(ctx, "l", nil, 0); added || !errors.Is(err, context.Canceled) {
		t.Errorf("Add until its context ends = %v, %v; want Canceled", added, err)
	}
}

// The cache is full for Add, and no longer when Add finds out why it was refused.
func TestAddWhileCacheGetsRoom(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{})
	f.set(func(f *fake) {
		f.full = true
		f.fault = func(c *call) bool {
			if c.key != "k" {
				f.set(func(f *fake) { f.full = false })
			}
			return false
		}
	})
	if added, err := b.Add(t.Context(), "k", []byte("v"), 0); !added || err != nil {
		t.Errorf("Add = %v, %v; want true", added, err)
	}
}
