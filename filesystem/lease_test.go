package filesystem

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func leaseOf(t testing.TB, b *Backend, key string, hold time.Duration) (token string) {
	t.Helper()
	value, ok, token, err := b.Lease(t.Context(), key, hold)
	if ok || err != nil {
		t.Fatalf("Lease %q = %.60q, %v, %v; want a miss", key, value, ok, err)
	}
	return token
}

func wantFill(t testing.TB, b *Backend, key, token string, want bool) {
	t.Helper()
	filled, err := b.Fill(t.Context(), key, token, []byte("filled"), time.Hour)
	if filled != want || err != nil {
		t.Fatalf("Fill %q = %v, %v; want %v", key, filled, err, want)
	}
}

// scan removes expired files, as a write does from time to time.
func scan(t testing.TB, b *Backend) {
	t.Helper()
	if _, _, err := b.scan(b.tree, true); err != nil {
		t.Fatal(err)
	}
}

// A lease is held by one caller, also by another Backend of the directory, over an
// absent, an expired and a damaged file; its key is absent. Rules LSE-1, 2, 4 and 5.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, other := openAt(t, Options{Dir: dir}), openAt(t, Options{Dir: dir})
		mustSet(t, b, "expired", "v", time.Nanosecond)
		writeFile(t, fileOf(b, "damaged"), []byte("junk"))
		time.Sleep(time.Second)
		for _, key := range []string{"absent", "expired", "damaged"} {
			first := leaseOf(t, b, key, time.Minute)
			if second := leaseOf(t, other, key, time.Minute); first == "" || second != "" {
				t.Fatalf("%s: tokens %q and %q", key, first, second)
			}
			wantAbsent(t, other, key)
			if err := other.Release(t.Context(), key, "another token"); err != nil {
				t.Fatal(err)
			}
			if leaseOf(t, other, key, time.Minute) != "" {
				t.Fatalf("%s: Release with another token ended the lease", key)
			}
			wantFill(t, other, key, "another token", false)
			wantFill(t, other, key, "", false)
			if err := b.Release(t.Context(), key, first); err != nil {
				t.Fatal(err)
			}
			wantFill(t, b, key, first, false)
			second := leaseOf(t, other, key, time.Minute)
			time.Sleep(time.Minute)
			wantFill(t, b, key, second, false) // the hold has ended
			third := leaseOf(t, b, key, time.Minute)
			if first == second || second == third || third == "" {
				t.Fatalf("%s: tokens %q, %q, %q", key, first, second, third)
			}
			wantFill(t, other, key, second, false)
			wantFill(t, other, key, third, true)
			wantFill(t, other, key, third, false)
			wantGet(t, b, key, "filled")
			if value, ok, token, err := b.Lease(t.Context(), key, time.Minute); string(value) != "filled" || !ok || token != "" || err != nil {
				t.Fatalf("Lease of a present key = %q, %v, %q, %v", value, ok, token, err)
			}
			if err := b.Release(t.Context(), key, third); err != nil {
				t.Fatal(err)
			}
			wantGet(t, b, key, "filled")
		}
		if got := count(t, b); got != 3 {
			t.Errorf("%d files for 3 keys", got)
		}
	})
}

// Every write ends the lease of its key, and Fill stores nothing afterwards, even if the
// entry has expired and a scan has removed the file. Rule LSE-3.
func TestWritesEndLease(t *testing.T) {
	writes := map[string]func(ctx context.Context, b *Backend) error{
		"Set": func(ctx context.Context, b *Backend) error { return b.Set(ctx, "key", nil, time.Millisecond) },
		"Add": func(ctx context.Context, b *Backend) error { return added(b.Add(ctx, "key", nil, time.Millisecond)) },
		"Inc": func(ctx context.Context, b *Backend) error {
			_, err := b.Inc(ctx, "key", 1, time.Millisecond)
			return err
		},
		"Clear":       func(ctx context.Context, b *Backend) error { return b.Clear(ctx) },
		"ClearPrefix": func(ctx context.Context, b *Backend) error { return b.ClearPrefix(ctx, "k") },
		"Delete": func(ctx context.Context, b *Backend) error {
			if deleted, err := b.Delete(ctx, "key"); deleted || err != nil {
				return fmt.Errorf("Delete = %v, %v", deleted, err)
			}
			return nil
		},
		"removal of the directory": func(_ context.Context, b *Backend) error { return os.RemoveAll(b.options.Dir) },
	}
	for verb, write := range writes {
		t.Run(verb, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := openAt(t, Options{Dir: filepath.Join(t.TempDir(), "entries")})
				token := leaseOf(t, b, "key", time.Minute)
				if err := write(t.Context(), openAt(t, Options{Dir: b.options.Dir})); err != nil {
					t.Fatal(err)
				}
				wantFill(t, b, "key", token, false)
				time.Sleep(time.Second)
				wantAbsent(t, b, "key")
				wantFill(t, b, "key", token, false)
				scan(t, b)
				wantFill(t, b, "key", token, false)
				second := leaseOf(t, b, "key", time.Minute)
				wantFill(t, b, "key", token, false)
				wantFill(t, b, "key", second, true)
			})
		})
	}
}

func added(ok bool, err error) error {
	if !ok && err == nil {
		return fmt.Errorf("Add = false")
	}
	return err
}

// A scan keeps a lease until its end. Eviction removes it after all entries.
func TestLeaseAndEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openAt(t, Options{Dir: t.TempDir(), Threshold: 8})
		token := leaseOf(t, b, "leased", time.Minute)
		ended := leaseOf(t, b, "ended", time.Second)
		time.Sleep(time.Second)
		scan(t, b)
		if got := count(t, b); got != 1 {
			t.Errorf("%d files after a scan; want one lease", got)
		}
		for i := range 50 {
			mustSet(t, b, strconv.Itoa(i), "v", 0)
		}
		wantFill(t, b, "leased", token, true)
		wantFill(t, b, "ended", ended, false)

		for i := range 50 { // leases alone do not block writes
			leaseOf(t, b, "leased"+strconv.Itoa(i), time.Minute)
		}
		mustSet(t, b, "key", "v", 0)
		if got := count(t, b); got > 8 {
			t.Errorf("%d files", got)
		}
	})
}

// If the clock was set back, a lease ends after twice the longest hold at the latest.
func TestLeaseFromTheFuture(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	token := leaseOf(t, b, "key", time.Minute)
	data := readFile(t, fileOf(b, "key"))
	end := time.Now().Add(time.Hour).UnixMicro()
	binary.LittleEndian.PutUint64(data[8:], uint64(-end))
	binary.LittleEndian.PutUint32(data[checksumAt:], checksum(data, nil))
	writeFile(t, fileOf(b, "key"), data)
	if leaseOf(t, b, "key", time.Minute) == "" {
		t.Error("the lease is held for an hour")
	}
	wantFill(t, b, "key", token, false)
}

func TestCompareAndSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := openAt(t, Options{Dir: t.TempDir()}), t.Context()
		swap := func(key, old, value string, ttl time.Duration, want bool) {
			t.Helper()
			if ok, err := b.CompareAndSwap(ctx, key, []byte(old), []byte(value), ttl); ok != want || err != nil {
				t.Fatalf("CompareAndSwap %q = %v, %v; want %v", key, ok, err, want)
			}
		}
		swap("key", "", "b", 0, false)
		mustSet(t, b, "key", "a", time.Hour)
		swap("key", "b", "c", 0, false)
		wantGet(t, b, "key", "a")
		swap("key", "a", "b", time.Minute, true)
		wantGet(t, b, "key", "b")
		if ttl, _, _ := b.TTL(ctx, "key"); ttl > time.Minute {
			t.Errorf("the TTL is %v", ttl)
		}
		time.Sleep(time.Minute)
		swap("key", "b", "c", 0, false)
		mustSet(t, b, "empty", "", 0)
		swap("empty", "", "full", 0, true)
		swap("leased", "", "v", 0, false)
		token := leaseOf(t, b, "leased", time.Minute)
		swap("leased", token, "v", 0, false)
		wantFill(t, b, "leased", token, true)
		if temps := files(t, b.options.Dir, "*"+tempSuffix); len(temps) > 0 {
			t.Errorf("temporary files remain: %q", temps)
		}
	})
}

func TestConcurrentSwaps(t *testing.T) {
	dir := t.TempDir()
	mustSet(t, openAt(t, Options{Dir: dir}), "n", "0", 0)
	const workers, each = 4, 25
	var group sync.WaitGroup
	for range workers {
		b := openAt(t, Options{Dir: dir})
		group.Go(func() {
			for done := 0; done < each; {
				old, _, err := b.Get(t.Context(), "n")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(old))
				swapped, err := b.CompareAndSwap(t.Context(), "n", old, []byte(strconv.Itoa(n+1)), 0)
				if err != nil {
					t.Error(err)
					return
				}
				if swapped {
					done++
				}
			}
		})
	}
	group.Wait()
	wantGet(t, openAt(t, Options{Dir: dir}), "n", strconv.Itoa(workers*each))
}

// sourceOf is the file from which the loaders load.
func sourceOf(dir string) string { return filepath.Join(dir, "source") }

func writeSource(t *testing.T, dir string, version int) {
	t.Helper()
	writeFile(t, sourceOf(dir)+".new", []byte(strconv.Itoa(version)))
	if err := os.Rename(sourceOf(dir)+".new", sourceOf(dir)); err != nil {
		t.Fatal(err)
	}
}

// loadForever prints a line, and fills the key from the source until it is killed.
func loadForever(ctx context.Context, b *Backend) error {
	fmt.Println("loading")
	for {
		_, ok, token, err := b.Lease(ctx, "key", 50*time.Millisecond)
		if err != nil {
			return err
		}
		if ok || token == "" {
			continue
		}
		value, err := os.ReadFile(sourceOf(b.options.Dir))
		if err != nil {
			return err
		}
		if _, err := b.Fill(ctx, "key", token, value, time.Hour); err != nil {
			return err
		}
	}
}

// After an invalidation, no reader gets a value that a process loaded before it. If a
// process is killed while it holds a lease, another one loads the key. Rules LSE-2, 3.
func TestNoStaleFillAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	writeSource(t, dir, 0)
	b, ctx := openAt(t, Options{Dir: dir}), t.Context()
	invalidations := []func(version string) error{
		func(string) error { _, err := b.Delete(ctx, "key"); return err },
		func(string) error { return b.Clear(ctx) },
		func(string) error { return b.ClearPrefix(ctx, "k") },
		func(version string) error { return b.Set(ctx, "key", []byte(version), time.Microsecond) },
		func(version string) error { return b.Set(ctx, "key", []byte(version), time.Hour) },
	}
	version := 0
	for range 3 {
		kills := []func(){startProcess(t, "loader", dir), startProcess(t, "loader", dir)}
		for range 60 {
			version++
			writeSource(t, dir, version)
			want := strconv.Itoa(version)
			if err := invalidations[version%len(invalidations)](want); err != nil {
				t.Fatal(err)
			}
			// Some versions are read until a process has filled the key, most are not.
			for reads, filled := 0, false; reads < 3 || version%8 == 0 && !filled; reads++ {
				value, ok, err := b.Get(ctx, "key")
				if err != nil || ok && string(value) != want {
					t.Fatalf("Get = %s, %v after the invalidation of version %s", value, err, want)
				}
				filled = ok
			}
		}
		for _, kill := range kills {
			kill()
		}
	}
	for {
		_, ok, token, err := b.Lease(ctx, "key", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if ok || token != "" {
			break // a killed holder keeps the key for the rest of its hold
		}
	}
}
