package filesystem

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// scanned returns the keys that a scan lists, sorted.
func scanned(t testing.TB, b *Backend, prefix string) (keys []string) {
	t.Helper()
	for entry, err := range b.Scan(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, entry.Key)
	}
	slices.Sort(keys)
	return keys
}

// A scan lists entries of keys of any length, and leaves all other files alone.
func TestScan(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: NoLimit})
	want := []string{"", "a", strings.Repeat("k", 480), strings.Repeat("k", 481), strings.Repeat("k", 300_000)}
	for _, key := range want {
		mustSet(t, b, key, "value", time.Hour)
	}
	mustSet(t, b, "large", string(pattern('v', 300_000)), 0)
	want = append(want, "large")
	mustSet(t, b, "truncated", "value", 0)
	mustSet(t, b, "header", "value", 0)
	mustSet(t, b, "long and damaged"+strings.Repeat("k", 300_000), "value", 0)
	mustSet(t, b, "renamed", "value", 0)
	truncated, header, renamed := fileOf(b, "truncated"), fileOf(b, "header"), fileOf(b, "renamed")
	damaged := fileOf(b, "long and damaged"+strings.Repeat("k", 300_000))
	writeFile(t, truncated, readFile(t, truncated)[:headerSize+3])
	writeFile(t, header, append([]byte("cbfs\x03"), readFile(t, header)[5:]...))
	data := readFile(t, damaged)
	data[250_000]++
	writeFile(t, damaged, data)
	if err := os.Rename(renamed, fileOf(b, "another key")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, fileOf(b, "empty"), nil)
	writeFile(t, filepath.Join(b.options.Dir, "README"), []byte("foreign"))
	writeFile(t, filepath.Join(filepath.Dir(header), "README"), []byte("foreign"))
	if err := os.Mkdir(fileOf(b, "directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(truncated, fileOf(b, "link")); err != nil {
		t.Fatal(err)
	}
	if _, _, token, err := b.Lease(t.Context(), "leased", time.Hour); token == "" || err != nil {
		t.Fatal(err)
	}
	before := files(t, b.options.Dir, "*")
	slices.Sort(want)
	if got := scanned(t, b, ""); !slices.Equal(got, want) {
		t.Errorf("Scan lists %.50q, want %.50q", got, want)
	}
	if got := scanned(t, b, "kk"); len(got) != 3 {
		t.Errorf(`Scan("kk") lists %d entries`, len(got))
	}
	for entry := range b.Scan(t.Context(), "l") {
		if entry != (driver.Entry{Key: "large", Size: 300_000}) {
			t.Errorf("Scan lists %+v", entry)
		}
	}
	if after := files(t, b.options.Dir, "*"); !slices.Equal(after, before) {
		t.Errorf("Scan has left %q of %q", after, before)
	}
}

// Scan does not verify values, whatever the length of the key.
func TestScanOfDamagedValues(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	for _, length := range []int{480, 481, 300_000} {
		key := strings.Repeat("k", length)
		mustSet(t, b, key, "value", 0)
		data := readFile(t, fileOf(b, key))
		data[len(data)-1]++
		writeFile(t, fileOf(b, key), data)
		wantAbsent(t, b, key)
		if got := scanned(t, b, key); !slices.Contains(got, key) {
			t.Errorf("the entry with a key of %d bytes is not listed", length)
		}
	}
}

// Two hash methods in one directory make two files of a key, of which each Backend finds
// one.
func TestScanOfTwoHashMethods(t *testing.T) {
	dir := t.TempDir()
	for _, method := range []string{"md5", "sha512"} {
		b := openAt(t, Options{Dir: dir, HashMethod: method})
		mustSet(t, b, "k", method, 0)
		mustSet(t, b, method, method, 0)
		if got := scanned(t, b, ""); !slices.Equal(got, []string{"k", method}) {
			t.Errorf("%s: Scan lists %q", method, got)
		}
	}
}

// Files that disappear during a scan are not listed; a directory that is removed ends it
// without an error.
func TestScanWhileFilesDisappear(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: NoLimit})
	const n = 2000
	for i := range n {
		mustSet(t, b, strconv.Itoa(i), "v", 0)
	}
	seen := map[string]bool{}
	for entry, err := range b.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if seen[entry.Key] {
			t.Errorf("%s is listed twice", entry.Key)
		}
		if seen[entry.Key] = true; len(seen) == 1 {
			for i := range n { // every second one
				if key := strconv.Itoa(i); i%2 == 0 && key != entry.Key {
					if err := os.Remove(fileOf(b, key)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	for i := range n {
		if key := strconv.Itoa(i); i%2 == 1 && !seen[key] {
			t.Errorf("%s is missing", key)
		}
	}
	if most := n/2 + filesPerStep + 1; len(seen) > most {
		t.Errorf("%d entries, at most %d were present or read before their removal", len(seen), most)
	}
	for _, err := range b.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(b.options.Dir)
	}
}

func TestScanThatFails(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: NoLimit})
	for i := range 500 {
		mustSet(t, b, strconv.Itoa(i), "v", 0)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range b.Scan(ctx, "") {
		cancel()
		last = err
		n++
	}
	if !errors.Is(last, context.Canceled) || n > filesPerStep+1 {
		t.Errorf("a cancelled Scan ends with %v after %d pairs", last, n)
	}
	n = 0
	for _, err := range b.Scan(t.Context(), "") {
		if n++; n == 1 {
			b.Close()
		}
		last = err
	}
	if !errors.Is(last, driver.ErrClosed) {
		t.Errorf("Scan with Close ends with %v after %d pairs", last, n)
	}
}
