package filesystem

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// count returns the number of files of entries, after the eviction in progress.
func count(t testing.TB, b *Backend) int {
	t.Helper()
	b.evictions.Wait()
	return len(files(t, b.options.Dir, "*"+entrySuffix))
}

func TestThreshold(t *testing.T) {
	for _, threshold := range []int{1, 2, 10, 64} {
		t.Run(strconv.Itoa(threshold), func(t *testing.T) {
			b := openAt(t, Options{Dir: t.TempDir(), Threshold: threshold})
			for i := range 3 * threshold {
				key := strconv.Itoa(i)
				switch i % 3 {
				case 0:
					mustSet(t, b, key, key, time.Duration(i+60)*time.Second)
				case 1:
					if added, err := b.Add(t.Context(), key, []byte(key), time.Duration(i+60)*time.Second); !added || err != nil {
						t.Fatal(added, err)
					}
				case 2:
					if _, err := b.Inc(t.Context(), key, int64(i), time.Duration(i+60)*time.Second); err != nil {
						t.Fatal(err)
					}
				}
				wantGet(t, b, key, key)
				if got := count(t, b); got > threshold {
					t.Fatalf("%d entries after %d writes", got, i+1)
				}
			}
			if got, least := count(t, b), threshold-b.tree.usage.batchSize(); got < least {
				t.Errorf("%d entries left, want %d at least", got, least)
			}
		})
	}
}

func TestEntryCount(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: 8})
	for range 3 { // deleted, cleared and replaced entries do not count
		for i := range 8 {
			mustSet(t, b, strconv.Itoa(i), "v", time.Minute)
			mustSet(t, b, strconv.Itoa(i), "w", time.Minute)
		}
		if got := count(t, b); got != 8 || b.tree.usage.entries != 8 {
			t.Fatalf("%d entries, counted as %d, want 8", got, b.tree.usage.entries)
		}
		if _, err := b.Delete(t.Context(), "0"); err != nil {
			t.Fatal(err)
		}
		if b.tree.usage.entries != 7 {
			t.Fatalf("counted as %d after Delete, want 7", b.tree.usage.entries)
		}
		mustSet(t, b, "0", "v", time.Minute)
		if got := count(t, b); got != 8 {
			t.Fatalf("%d entries after Delete and Set, want 8", got)
		}
		if err := b.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.tree.usage.entries != 0 {
			t.Fatalf("counted as %d after Clear, want 0", b.tree.usage.entries)
		}
	}
}

func TestEvictionOrder(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: 8})
	for i := range 3 {
		mustSet(t, b, "forever"+strconv.Itoa(i), "v", 0)
	}
	mustSet(t, b, "soon", "v", time.Minute)
	mustSet(t, b, "later", "v", time.Hour)
	for i := range 3 {
		mustSet(t, b, "expired"+strconv.Itoa(i), "v", time.Nanosecond)
	}
	mustSet(t, b, "new0", "v", 30*time.Second) // evicts the three expired entries
	for _, key := range []string{"forever0", "forever1", "forever2", "soon", "later", "new0"} {
		wantGet(t, b, key, "v")
	}
	if got := count(t, b); got != 6 {
		t.Fatalf("%d entries, want 6", got)
	}
	mustSet(t, b, "new1", "v", 30*time.Minute)
	mustSet(t, b, "new2", "v", 30*time.Minute)
	for _, next := range []string{"new0", "soon"} {
		wantGet(t, b, next, "v")
		mustSet(t, b, "after "+next, "v", 2*time.Hour)
		wantAbsent(t, b, next)
	}
}

func TestEvictionOrderOfNeverExpiring(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: 8})
	for i := range 9 {
		mustSet(t, b, strconv.Itoa(i), "v", 0)
	}
	wantAbsent(t, b, "0")
	wantGet(t, b, "1", "v")
	wantGet(t, b, "8", "v")
}

func TestNoLimit(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: NoLimit})
	b.tree.usage.addedSinceScan = 0 // the first scan comes with the thousandth entry
	for i := range 600 {
		mustSet(t, b, strconv.Itoa(i), "v", time.Nanosecond)
	}
	for i := range 600 {
		mustSet(t, b, strconv.Itoa(600+i), "v", 0)
	}
	if got := count(t, b); got != 600 {
		t.Errorf("%d entries, want the 600 that have not expired", got)
	}
}

// Processes count separately; each scans the directory in time.
func TestThresholdOfSharedDirectory(t *testing.T) {
	const writers = 4
	for name, test := range map[string]struct {
		threshold int
		open      func(dir string) *Backend
	}{
		"whole": {80, func(dir string) *Backend { return openAt(t, Options{Dir: dir, Threshold: 80}) }},
		"parts": {320, func(dir string) *Backend { return openParts(t, dir, 320, 40) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var backends []*Backend
			for range writers {
				backends = append(backends, test.open(dir))
			}
			most := 0
			for i := range 2 * test.threshold {
				mustSet(t, backends[i%writers], strconv.Itoa(i), "v", 0)
				if i%40 == 0 {
					most = max(most, len(files(t, dir, "*"+entrySuffix)))
				}
			}
			if allowed := test.threshold + (writers-1)*test.threshold/8; most > allowed {
				t.Errorf("up to %d entries, want %d at most", most, allowed)
			}
			t.Logf("up to %d entries with a threshold of %d", most, test.threshold)
		})
	}
}

// The threshold is smaller than when the directory was last opened.
// Rule PER-4.
func TestSmallerThreshold(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir})
	for i := range 100 {
		mustSet(t, b, strconv.Itoa(i), "v", 0)
	}
	b = openAt(t, Options{Dir: dir, Threshold: 16})
	mustSet(t, b, "new", "v", time.Minute)
	wantGet(t, b, "new", "v")
	if got := count(t, b); got > 16 {
		t.Errorf("%d entries", got)
	}
}

// An eviction belongs to all writers: a caller with a deadline does not wait for its
// end, and one that leaves does not end it.
func TestEvictionOutlivesCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const threshold = 64
		b := openAt(t, Options{Dir: t.TempDir(), Threshold: threshold})
		for i := range threshold {
			mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
		}
		b.evictions.Wait()
		unfinished := &eviction{done: make(chan struct{})}
		b.tree.usage.eviction = unfinished
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for verb, write := range map[string]func() error{
			"Set": func() error { return b.Set(ctx, "set", []byte("v"), time.Hour) },
			"Add": func() error { _, err := b.Add(ctx, "added", []byte("v"), time.Hour); return err },
			"Inc": func() error { _, err := b.Inc(ctx, "counter", 1, time.Hour); return err },
		} {
			if err := write(); err != nil {
				t.Errorf("%s into a full directory during an eviction: %v", verb, err)
			}
		}
		wantGet(t, b, "set", "v")
		wantGet(t, b, "added", "v")
		wantGet(t, b, "counter", "1")
		mustSet(t, b, "0", "w", time.Hour) // replacing needs no room

		cancelled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if err := b.Set(cancelled, "cancelled", []byte("v"), time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("Set with a cancelled context = %v", err)
		}
		b.tree.usage.eviction = nil
		close(unfinished.done)

		b.tree.usage.mu.Lock()
		b.startEviction(b.tree, false)
		b.tree.usage.mu.Unlock()
		b.evictions.Wait()
		if got := count(t, b); got > threshold {
			t.Errorf("%d entries after the eviction", got)
		}
		if temps := files(t, b.options.Dir, "*"+tempSuffix); len(temps) > 0 {
			t.Errorf("temporary files remain: %q", temps)
		}
	})
}

func TestCloseEndsEviction(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: 1})
	mustSet(t, b, "k", "v", 0)
	b.evictions.Wait()
	b.tree.usage.eviction = &eviction{done: make(chan struct{})}
	result := make(chan error)
	go func() { result <- b.Set(t.Context(), "l", []byte("v"), 0) }()
	for len(files(t, b.options.Dir, "*"+tempSuffix)) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, driver.ErrClosed) {
		t.Errorf("Set = %v, want ErrClosed", err)
	}
}

// Eviction believes the header, not the modification time, about what has expired:
// file systems cut times to whole seconds (FAT to two) or to 32 bits.
func TestEvictionWithCoarseTimes(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: 8})
	past := time.Now().Add(-time.Hour)
	for _, key := range []string{"never", "hour", "minute", "expired"} {
		ttl := map[string]time.Duration{"hour": time.Hour, "minute": time.Minute, "expired": time.Nanosecond}[key]
		mustSet(t, b, key, "v", ttl)
		if err := os.Chtimes(fileOf(b, key), past, past); err != nil {
			t.Fatal(err)
		}
	}
	b.tree.usage.nextScan = time.Time{}
	mustSet(t, b, "new0", "v", 2*time.Hour) // scans
	b.evictions.Wait()
	if _, err := os.Stat(fileOf(b, "expired")); !os.IsNotExist(err) {
		t.Error("the expired entry is not removed:", err)
	}
	for i := range 4 {
		mustSet(t, b, "new"+strconv.Itoa(i+1), "v", 2*time.Hour)
	}
	for _, next := range []string{"minute", "hour"} { // in the order of their expiry
		for _, key := range []string{"never", "hour", next} {
			wantGet(t, b, key, "v")
		}
		mustSet(t, b, "after "+next, "v", 3*time.Hour)
		wantAbsent(t, b, next)
	}
	wantGet(t, b, "never", "v")
}

func TestStaleTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir})
	slice := filepath.Dir(fileOf(b, "k"))
	stale := filepath.Join(slice, b.temps.next(time.Now().Add(-staleAge-time.Minute)))
	fresh := filepath.Join(slice, b.temps.next(time.Now().Add(-staleAge+time.Minute)))
	for name, scan := range map[string]func(){
		"at start": func() { openAt(t, Options{Dir: dir}) },
		"later":    func() { b.tree.usage.nextScan = time.Time{}; mustSet(t, b, "k", "v", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, stale, nil)
			writeFile(t, fresh, nil)
			scan()
			b.evictions.Wait()
			if _, err := os.Stat(stale); !os.IsNotExist(err) {
				t.Error("the stale file is not removed:", err)
			}
			if _, err := os.Stat(fresh); err != nil {
				t.Error("the fresh file is removed:", err)
			}
		})
	}
}

// An entry is not lost from the count if a write creates its fan-out directory while that is
// counted as absent.
func TestCountWhileDirectoryIsCreated(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	const index = 7
	dirs, u := b.tree, &b.tree.usage
	u.mu.Lock()
	var counting sync.WaitGroup
	counting.Go(func() {
		if _, _, err := b.countSlice(dirs, index, time.Now()); err != nil {
			t.Error(err)
		}
	})
	for !waitsForMutex(".listBegins(") {
		time.Sleep(time.Millisecond)
	}
	opened := make(chan bool, 1)
	go func() {
		_, err := dirs.slice(index, true)
		opened <- err == nil
	}()
	for len(opened) == 0 && !waitsForMutex(".(*tree).slice(") {
		time.Sleep(time.Millisecond)
	}
	// The write counts its entry as soon as it can, and gives it a name after the count.
	early := len(opened) == 1
	if early {
		u.added(index)
	}
	u.mu.Unlock()
	if !<-opened {
		t.Fatal("the directory cannot be created")
	}
	if !early {
		u.mu.Lock()
		u.added(index)
		u.mu.Unlock()
	}
	counting.Wait()
	if got := u.slices[index].entries; got != 1 || u.entries != 1 {
		t.Errorf("%d entries in the directory and %d in all; want the one of the write", got, u.entries)
	}
}

// waitsForMutex reports whether a goroutine waits for a mutex in the function.
func waitsForMutex(function string) bool {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "[sync.Mutex.Lock") && strings.Contains(stack, function) {
			return true
		}
	}
	return false
}
