package filesystem

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Another program may keep the lock, or be stopped with it: every write has a limit,
// and it is the same for many callers.
func TestLockOfAnotherProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const timeout = 300 * time.Millisecond
		b := openAt(t, Options{Dir: dir, LockTimeout: timeout})
		mustSet(t, b, "k", "1", 0)
		var unlocks []func()
		mustSet(t, b, "new", "1", 0)
		if deleted, err := b.Delete(t.Context(), "new"); !deleted || err != nil {
			t.Fatal(deleted, err)
		}
		for _, key := range []string{"k", "new"} {
			other, err := openDir(filepath.Dir(fileOf(b, key)))
			if err != nil {
				t.Fatal(err)
			}
			defer other.close()
			if locked, err := other.tryLock(); !locked || err != nil {
				skip(t, "no locks here: ", locked, err)
			}
			unlocks = append(unlocks, other.unlock)
		}
		ctx := t.Context()
		calls := map[string]func() error{
			"Set":         func() error { return b.Set(ctx, "k", []byte("2"), 0) },
			"Add":         func() error { _, err := b.Add(ctx, "new", nil, 0); return err },
			"Inc":         func() error { _, err := b.Inc(ctx, "k", 1, 0); return err },
			"Delete":      func() error { _, err := b.Delete(ctx, "k"); return err },
			"Clear":       func() error { return b.Clear(ctx) },
			"ClearPrefix": func() error { return b.ClearPrefix(ctx, "k") },
		}
		begin := time.Now()
		const each = 20
		var group sync.WaitGroup
		for verb, call := range calls {
			for range each {
				group.Go(func() {
					if err := call(); !errors.Is(err, driver.ErrUnavailable) {
						t.Errorf("%s = %v, want ErrUnavailable", verb, err)
					}
				})
			}
		}
		group.Wait()
		if waited := time.Since(begin); waited < timeout || waited > 2*timeout {
			t.Errorf("%d calls took %v together; want about %v", each*len(calls), waited, timeout)
		}
		wantGet(t, b, "k", "1") // reads take no lock

		expired, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := b.Set(expired, "k", nil, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set with a deadline = %v", err)
		}
		if temps := files(t, dir, "*"+tempSuffix); len(temps) > 0 {
			t.Errorf("temporary files remain: %q", temps)
		}
		for _, unlock := range unlocks {
			unlock()
		}
		mustSet(t, b, "k", "3", 0)
	})
}

// A panic that the program recovers from, as net/http does, keeps no lock.
func TestPanicReleasesLocks(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		inSlice(b, "k", func(s *slice) error {
			return b.withLock(t.Context(), s, func() error { panic("test") })
		})
	}()
	if !b.mu.TryLock() {
		t.Fatal("the read lock is held")
	}
	b.mu.Unlock()
	if len(b.tree.slices[sliceOf(b.entryName("k"))].Load().writer) > 0 {
		t.Fatal("the lock of the directory is held")
	}
	mustSet(t, openAt(t, Options{Dir: b.options.Dir}), "k", "v", 0)
}
