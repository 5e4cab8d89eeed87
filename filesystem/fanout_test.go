package filesystem

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// openParts returns a Backend whose scans look at a part of the directory each.
func openParts(t *testing.T, dir string, threshold, scanSize int) *Backend {
	t.Helper()
	b := openAt(t, Options{Dir: dir, Threshold: threshold})
	b.tree.usage.scanSize = scanSize
	if _, whole := b.tree.usage.scanned(); whole {
		t.Fatal("scans look at the whole directory")
	}
	return b
}

func TestFanOutDirectories(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: NoLimit})
	used := map[string]bool{}
	for i := range 2000 {
		name := b.entryName(strconv.Itoa(i))
		dir := sliceName(sliceOf(name))
		if used[dir] = true; dir > name[:2] || name[0] != dir[0] || name[1]-dir[1] > 3 && dir[1] != '8' {
			t.Fatalf("%s is in %s", name, dir)
		}
	}
	if len(used) != fanOut {
		t.Errorf("%d directories", len(used))
	}
	mustSet(t, b, "a8", "v", 0)
	if got := files(t, b.options.Dir, "*"); len(got) != 1 || got[0] != fileOf(b, "a8") {
		t.Errorf("the files are %q", got)
	}
}

// Evictions of a part of the directory keep the threshold, remove no more than needed,
// and remove what expires soonest first. Rules EVI-1 to EVI-5.
func TestEvictionInParts(t *testing.T) {
	const threshold, scanSize = 320, 40
	b := openParts(t, t.TempDir(), threshold, scanSize)
	for i := range 3 * threshold {
		ttl := time.Hour
		if i%4 == 0 { // fewer than the threshold
			ttl = 0
		}
		mustSet(t, b, strconv.Itoa(i), "v", ttl)
		wantGet(t, b, strconv.Itoa(i), "v")
		if i%20 > 0 {
			continue
		}
		got := count(t, b)
		if got > threshold {
			t.Fatalf("%d entries after %d writes", got, i+1)
		}
		if least := threshold * 3 / 4; i >= threshold && got < least {
			t.Fatalf("%d entries after %d writes, want %d at least", got, i+1, least)
		}
	}
	lost := 0
	for i := 0; i < 3*threshold; i += 4 {
		if ok, err := b.Has(t.Context(), strconv.Itoa(i)); !ok || err != nil {
			lost++
		}
	}
	if lost > threshold/20 {
		t.Errorf("%d entries that never expire were evicted, although others expire", lost)
	}
	if got := b.evicted.Load(); got < 2*threshold || got > 3*threshold {
		t.Errorf("%d evictions", got)
	}
}

// A write that waits for the next scan goes on when that begins, not when it has listed a
// directory, which takes long if there are many files.
func TestWriteDuringScan(t *testing.T) {
	for name, counted := range map[string]bool{"counted": true, "estimated": false} {
		t.Run(name, func(t *testing.T) {
			b := openParts(t, t.TempDir(), 320, 40)
			for i := range 270 {
				mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
			}
			b.evictions.Wait()
			u := &b.tree.usage
			next, err := b.tree.slice(u.cursor, true)
			if err != nil {
				t.Fatal(err)
			}
			key := "new0"
			for i := 0; sliceOf(b.entryName(key)) == next.index; i++ {
				key = "new" + strconv.Itoa(i)
			}
			_, u.addedSinceScan = u.scanAfter()
			if !counted {
				u.listed--
				u.slices[next.index].listed = false
				u.entries = u.threshold
			}
			next.writer <- struct{}{} // which the list waits for
			stuck := time.AfterFunc(time.Minute, func() { <-next.writer })
			mustSet(t, b, key, "v", time.Hour)
			if !stuck.Stop() {
				t.Fatal("the write waited for the list")
			}
			<-next.writer
		})
	}
}

// Expired entries are removed first, in parts too.
func TestExpiryInParts(t *testing.T) {
	const threshold = 320
	b := openParts(t, t.TempDir(), threshold, 40)
	for i := range threshold / 2 {
		mustSet(t, b, "expired"+strconv.Itoa(i), "v", time.Nanosecond)
		mustSet(t, b, "live"+strconv.Itoa(i), "v", time.Hour)
	}
	b.evictions.Wait()
	for i := range threshold / 4 {
		mustSet(t, b, "new"+strconv.Itoa(i), "v", 2*time.Hour)
	}
	b.evictions.Wait()
	lost := 0
	for i := range threshold / 2 {
		if ok, _ := b.Has(t.Context(), "live"+strconv.Itoa(i)); !ok {
			lost++
		}
	}
	if lost > threshold/10 {
		t.Errorf("%d live entries were evicted, although others had expired", lost)
	}
	if b.expired.Load() == 0 {
		t.Error("no expirations are counted")
	}
}

// Writers that all wait for room get it in turn, and keep the threshold.
func TestThresholdOfConcurrentWriters(t *testing.T) {
	for _, threshold := range []int{1, 3, 100} {
		t.Run(strconv.Itoa(threshold), func(t *testing.T) {
			b := openAt(t, Options{Dir: t.TempDir(), Threshold: threshold})
			const rounds, writers, each = 10, 16, 4
			for round := range rounds {
				var group sync.WaitGroup
				for i := range writers {
					group.Go(func() {
						for j := range each {
							key := strconv.Itoa((round*writers+i)*each + j)
							if err := b.Set(t.Context(), key, []byte("v"), time.Hour); err != nil {
								t.Error(err)
							}
						}
					})
				}
				group.Wait()
				b.evictions.Wait()
				got := count(t, b)
				if got > threshold || got == 0 {
					t.Fatalf("%d entries", got)
				}
				// An entry that was written during a scan may be counted twice until the next scan.
				if _, _, err := b.scan(b.tree, false); err != nil {
					t.Fatal(err)
				}
				if u := &b.tree.usage; len(u.waiting) > 0 || u.promised > 0 || u.entries != got {
					t.Fatalf("%d writers wait, %d are promised room; %d entries, counted as %d", len(u.waiting), u.promised, got, u.entries)
				}
			}
		})
	}
}

// Opening a large directory counts a part of it. Scans correct the estimate.
func TestPartialCount(t *testing.T) {
	const entries = 1000
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir, Threshold: 2 * entries})
	for i := range entries {
		mustSet(t, b, strconv.Itoa(i), "v", 0)
	}
	tree, err := b.openTree(false)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.close()
	u := &tree.usage
	u.scanSize = 200
	if err := b.count(tree, time.Now()); err != nil {
		t.Fatal(err)
	}
	if u.entries < entries/2 || u.entries > 2*entries {
		t.Errorf("counted as %d", u.entries)
	}
	open := 0
	for i := range tree.slices {
		if tree.slices[i].Load() != nil {
			open++
		}
	}
	if open > fanOut/2 {
		t.Errorf("%d directories were listed", open)
	}
	for range fanOut {
		if _, _, err := b.scan(tree, false); err != nil {
			t.Fatal(err)
		}
	}
	if u.entries != entries {
		t.Errorf("counted as %d after the scans", u.entries)
	}
}

// A Clear by another handle leaves room: the next writes evict nothing.
func TestClearByAnotherHandle(t *testing.T) {
	for name, open := range map[string]func(dir string) *Backend{
		"whole": func(dir string) *Backend { return openAt(t, Options{Dir: dir, Threshold: 320}) },
		"parts": func(dir string) *Backend { return openParts(t, dir, 320, 40) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := open(dir)
			for i := range 270 {
				mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
			}
			b.evictions.Wait()
			before := b.evicted.Load()
			if err := openAt(t, Options{Dir: dir}).Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range 200 {
				mustSet(t, b, "new"+strconv.Itoa(i), "v", time.Minute)
			}
			b.evictions.Wait()
			if got := b.evicted.Load() - before; got > 0 {
				t.Errorf("%d evictions, although the directory was empty", got)
			}
		})
	}
}

// What is called as a fan-out directory but is none is not followed, and only its keys
// fail. Rules BAS-15, BAT-16 and CLR-6.
func TestForeignFanOutDirectory(t *testing.T) {
	outside := t.TempDir()
	for name, plant := range map[string]func(path string) error{
		"file":         func(path string) error { return os.WriteFile(path, []byte("foreign"), 0o600) },
		"link":         func(path string) error { return os.Symlink(outside, path) },
		"broken link":  func(path string) error { return os.Symlink("nowhere", path) },
		"link to self": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b, ctx := openAt(t, Options{Dir: dir, Threshold: 4}), t.Context()
			index := sliceOf(b.entryName("k"))
			path := filepath.Join(dir, sliceName(index))
			if err := plant(path); err != nil {
				skip(t, err)
			}
			writeFile(t, filepath.Join(outside, b.entryName("k")), encoded("k", "planted", 0))
			wantAbsent(t, b, "k")
			if deleted, err := b.Delete(ctx, "k"); deleted || err != nil {
				t.Errorf("Delete = %v, %v", deleted, err)
			}
			_, add := b.Add(ctx, "k", nil, 0)
			_, inc := b.Inc(ctx, "k", 1, 0)
			for verb, err := range map[string]error{"Set": b.Set(ctx, "k", nil, 0), "Add": add, "Inc": inc} {
				if err == nil || driver.EndsBatch(err) || errors.Is(err, driver.ErrUnavailable) {
					t.Errorf("%s = %v, want an error for the one key", verb, err)
				}
			}
			for i := range 20 {
				if key := strconv.Itoa(i); sliceOf(b.entryName(key)) != index {
					mustSet(t, b, key, "v", 0)
					wantGet(t, b, key, "v")
				}
			}
			b.evictions.Wait()
			if stats, err := b.Stats(ctx); stats.Entries > 4 || err != nil {
				t.Errorf("%+v, %v", stats, err)
			}
			if err := errors.Join(b.ClearPrefix(ctx, "1"), b.Clear(ctx)); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); err != nil {
				t.Error("the foreign file is removed:", err)
			}
			if got := files(t, outside, "*"); len(got) != 1 {
				t.Errorf("%q are behind the link", got)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			mustSet(t, b, "k", "v", 0)
			wantGet(t, b, "k", "v")
		})
	}
}

// The fan-out directories may be removed without the directory, as by rm -r DIR/*.
func TestRemovedFanOutDirectories(t *testing.T) {
	dir := t.TempDir()
	b, reader := openAt(t, Options{Dir: dir, Threshold: 8}), openAt(t, Options{Dir: dir})
	for i := range 40 {
		key := strconv.Itoa(i)
		mustSet(t, b, key, "v", 0)
		wantGet(t, reader, key, "v")
		if i%8 > 0 {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
		wantAbsent(t, reader, key)
		wantAbsent(t, b, key)
		if added, err := b.Add(t.Context(), key, []byte("w"), 0); !added || err != nil {
			t.Fatalf("Add = %v, %v", added, err)
		}
		wantGet(t, reader, key, "w")
	}
}

func TestStats(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir, Threshold: 64})
	want := func(entries, evictions, expirations int64) {
		t.Helper()
		b.evictions.Wait()
		got, err := b.Stats(t.Context())
		if err != nil || got.Entries != entries || got.Evictions != evictions || got.Expirations != expirations || got.MaxBytes != 0 {
			t.Errorf("%+v, %v; want %d entries, %d evictions, %d expirations", got, err, entries, evictions, expirations)
		}
		if entries == 0 && got.Bytes != 0 || entries > 0 && (got.Bytes < entries || got.Bytes > entries*(64<<10)) {
			t.Errorf("%d entries have %d bytes", entries, got.Bytes)
		}
	}
	want(0, 0, 0)
	for i := range 4 {
		mustSet(t, b, "expired"+strconv.Itoa(i), "v", time.Nanosecond)
	}
	for i := range 60 {
		mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
	}
	want(64, 0, 0)
	mustSet(t, b, "another", "v", time.Hour)
	want(61, 0, 4)
	for i := range 4 {
		mustSet(t, b, "more"+strconv.Itoa(i), "v", time.Hour)
	}
	want(64-8+1, 8, 4)
	b.Delete(t.Context(), "another")
	want(64-8, 8, 4)
	again := openAt(t, Options{Dir: dir})
	if got, err := again.Stats(t.Context()); err != nil || got.Entries != 64-8 || got.Bytes <= 0 || got.Evictions != 0 {
		t.Errorf("after opening again: %+v, %v", got, err)
	}
	if err := b.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(0, 8, 4)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Stats(t.Context()); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("Stats after Close = %v", err)
	}
}

// A scan passes over all slices in turn, wherever it begins.
func TestScansInTurn(t *testing.T) {
	b := openParts(t, t.TempDir(), 320, 40)
	for i := range 270 {
		mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
	}
	b.evictions.Wait()
	var listed []int
	for len(listed) < fanOut {
		indexes, all, err := b.listNext(b.tree, time.Now())
		if err != nil || len(all) < 40 || len(indexes) > fanOut/2 {
			t.Fatalf("%d entries of %d directories, %v", len(all), len(indexes), err)
		}
		listed = append(listed, indexes...)
	}
	slices.Sort(listed)
	if all := slices.Compact(listed); len(all) != fanOut {
		t.Errorf("%d directories were listed", len(all))
	}
}

// An estimate that is too high evicts nothing: the directory is counted first.
func TestNoEvictionByEstimate(t *testing.T) {
	const entries = 600
	dir := t.TempDir()
	full := openAt(t, Options{Dir: dir, Threshold: 2 * entries})
	for i := range entries {
		mustSet(t, full, strconv.Itoa(i), "v", time.Hour)
	}
	b := openAt(t, Options{Dir: dir, Threshold: 2 * entries})
	u := &b.tree.usage
	u.scanSize, u.entries, u.listed = 80, 0, 0
	for i := range u.slices {
		u.slices[i] = sliceUsage{}
		u.estimate(i, 100*entries/fanOut)
	}
	mustSet(t, b, "new", "v", time.Hour)
	b.evictions.Wait()
	if got := b.evicted.Load(); got > 0 || u.entries != entries+1 {
		t.Errorf("%d evictions, counted as %d", got, u.entries)
	}
}
