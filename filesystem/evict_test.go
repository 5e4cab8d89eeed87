package filesystem

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func count(t testing.TB, b *Backend) int {
	t.Helper()
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
			if got, least := count(t, b), threshold-b.batchSize(); got < least {
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
		if got := count(t, b); got != 8 || b.usage.entries != 8 {
			t.Fatalf("%d entries, counted as %d, want 8", got, b.usage.entries)
		}
		if _, err := b.Delete(t.Context(), "0"); err != nil {
			t.Fatal(err)
		}
		if b.usage.entries != 7 {
			t.Fatalf("counted as %d after Delete, want 7", b.usage.entries)
		}
		mustSet(t, b, "0", "v", time.Minute)
		if got := count(t, b); got != 8 {
			t.Fatalf("%d entries after Delete and Set, want 8", got)
		}
		if err := b.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.usage.entries != 0 {
			t.Fatalf("counted as %d after Clear, want 0", b.usage.entries)
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
	b.usage.addedSinceScan = 0 // the first scan comes with the thousandth entry
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
	const threshold, writers = 80, 4
	dir := t.TempDir()
	var backends []*Backend
	for range writers {
		backends = append(backends, openAt(t, Options{Dir: dir, Threshold: threshold}))
	}
	most := 0
	for i := range 6 * threshold {
		mustSet(t, backends[i%writers], strconv.Itoa(i), "v", 0)
		most = max(most, count(t, backends[0]))
	}
	if allowed := threshold + (writers-1)*backends[0].batchSize(); most > allowed {
		t.Errorf("up to %d entries, want %d at most", most, allowed)
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

func TestStaleTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir})
	stale := filepath.Join(dir, b.temps.next(time.Now().Add(-staleAge-time.Minute)))
	fresh := filepath.Join(dir, b.temps.next(time.Now().Add(-staleAge+time.Minute)))
	for name, scan := range map[string]func(){
		"at start": func() { openAt(t, Options{Dir: dir}) },
		"later":    func() { b.usage.nextScan = time.Time{}; mustSet(t, b, "k", "v", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, stale, nil)
			writeFile(t, fresh, nil)
			scan()
			if _, err := os.Stat(stale); !os.IsNotExist(err) {
				t.Error("the stale file is not removed:", err)
			}
			if _, err := os.Stat(fresh); err != nil {
				t.Error("the fresh file is removed:", err)
			}
		})
	}
}
