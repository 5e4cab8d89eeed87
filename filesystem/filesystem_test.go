package filesystem

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func TestRoundTrip(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	for _, size := range []int{0, 1, 1000, 16 << 10, 16<<10 + 1, readBufferSize - headerSize - 1, readBufferSize - headerSize, readBufferSize, 1 << 20, 16 << 20} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			want := pattern(byte(size%251), size)
			mustSet(t, b, "k", string(want), time.Minute)
			wantGet(t, b, "k", string(want))
			if value, _, _ := b.Get(t.Context(), "k"); value == nil {
				t.Error("the value is nil")
			}
		})
	}
}

func TestKeysDoNotCollide(t *testing.T) {
	keys := []string{
		"a", "A", "a ", "a.", "a\n", "a\x00", "CON", ".", "..", "../../x", "/abs", `..\x`, "a/b//c", "x.tmp", "x.cache",
		"é", "e\u0301", "\xff\xfe", "😀", strings.Repeat("k", readBufferSize),
	}
	for method := range hashMethods {
		t.Run(method, func(t *testing.T) {
			parent := t.TempDir()
			b := openAt(t, Options{Dir: filepath.Join(parent, "cache"), HashMethod: method})
			for i, key := range keys {
				mustSet(t, b, key, strconv.Itoa(i), 0)
			}
			for i, key := range keys {
				wantGet(t, b, key, strconv.Itoa(i))
			}
			if got := len(files(t, b.options.Dir, "*")); got != len(keys) {
				t.Errorf("%d files for %d keys", got, len(keys))
			}
			if got := files(t, parent, "*"); len(got) != 1 {
				t.Errorf("files outside the directory: %q", got)
			}
		})
	}
}

func TestMD5Collision(t *testing.T) {
	const (
		one   = "TEXTCOLLBYfGiJUETHQ4hAcKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak"
		other = "TEXTCOLLBYfGiJUETHQ4hEcKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak"
	)
	if md5.Sum([]byte(one)) != md5.Sum([]byte(other)) {
		t.Fatal("the two keys do not collide")
	}
	b := openAt(t, Options{Dir: t.TempDir(), HashMethod: "md5"})
	mustSet(t, b, one, "1", 0)
	wantAbsent(t, b, other)
	if added, err := b.Add(t.Context(), other, []byte("2"), 0); !added || err != nil {
		t.Fatal("Add of the other key:", added, err)
	}
	wantGet(t, b, one, "1")
	wantGet(t, b, other, "2")
	if deleted, err := b.Delete(t.Context(), one); !deleted || err != nil {
		t.Fatal("Delete:", deleted, err)
	}
	wantGet(t, b, other, "2")
}

func TestExpiry(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	for _, ttl := range []time.Duration{time.Nanosecond, time.Microsecond, 500 * time.Microsecond, 30 * time.Millisecond} {
		mustSet(t, b, "k", "v", ttl)
		stored := time.Now()
		for {
			age := time.Since(stored)
			_, ok, err := b.Get(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if age > ttl {
				t.Fatalf("%v: not expired at the age of %v", ttl, age)
			}
		}
		wantAbsent(t, b, "k")
		if deleted, err := b.Delete(t.Context(), "k"); deleted || err != nil {
			t.Errorf("%v: Delete of an expired key = %v, %v", ttl, deleted, err)
		}
	}
	for _, ttl := range []time.Duration{time.Minute, 90500 * time.Millisecond, 80 * 365 * 24 * time.Hour, math.MaxInt64} {
		begin := time.Now()
		mustSet(t, b, "k", "v", ttl)
		left, ok, err := b.TTL(t.Context(), "k")
		if !ok || err != nil || left > ttl || left < ttl-time.Since(begin)-time.Microsecond {
			t.Errorf("TTL of %v = %v, %v, %v", ttl, left, ok, err)
		}
		if ok, err := b.Has(t.Context(), "k"); !ok || err != nil {
			t.Errorf("%v: Has = %v, %v", ttl, ok, err)
		}
		wantGet(t, b, "k", "v")
	}
	mustSet(t, b, "k", "v", 0)
	if left, ok, err := b.TTL(t.Context(), "k"); left != 0 || !ok || err != nil {
		t.Errorf("TTL of a key that never expires = %v, %v, %v", left, ok, err)
	}
}

func TestExpiryRoundsUp(t *testing.T) {
	now := time.Unix(1_700_000_000, 123_456_789)
	for _, ttl := range []time.Duration{1, 999, 1000, 1001, time.Second, time.Second + 1, math.MaxInt64} {
		d := expiryAfter(now, ttl)
		if left := d.remaining(now); left < ttl || d.expired(now) {
			t.Errorf("ttl %d leaves %d, expired %v", ttl, left, d.expired(now))
		}
		if late := int64(d) - now.UnixMicro() - int64(ttl/time.Microsecond); late > 2 {
			t.Errorf("ttl %d ends %d µs late", ttl, late)
		}
	}
}

func TestAdd(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	add := func(key, value string, ttl time.Duration, want bool) {
		t.Helper()
		if added, err := b.Add(t.Context(), key, []byte(value), ttl); added != want || err != nil {
			t.Fatalf("Add %q = %v, %v; want %v", key, added, err, want)
		}
	}
	add("k", "first", time.Minute, true)
	add("k", "second", 0, false)
	wantGet(t, b, "k", "first")
	if left, _, _ := b.TTL(t.Context(), "k"); left == 0 || left > time.Minute {
		t.Error("the failed Add changed the TTL to", left)
	}
	add("empty", "", 0, true)
	add("empty", "x", 0, false)
	mustSet(t, b, "expired", "old", time.Nanosecond)
	time.Sleep(time.Microsecond)
	add("expired", "new", time.Minute, true)
	wantGet(t, b, "expired", "new")
	writeFile(t, fileOf(b, "damaged"), []byte("?"))
	add("damaged", "repaired", time.Minute, true)
	wantGet(t, b, "damaged", "repaired")
	if temps := files(t, b.options.Dir, "*"+tempSuffix); len(temps) > 0 {
		t.Errorf("temporary files remain: %q", temps)
	}
}

func TestConcurrentAdd(t *testing.T) {
	dir := t.TempDir()
	for _, before := range []string{"absent", "expired", "damaged"} {
		t.Run(before, func(t *testing.T) {
			for round := range 20 {
				key := before + strconv.Itoa(round)
				backends := []*Backend{openAt(t, Options{Dir: dir}), openAt(t, Options{Dir: dir})}
				switch before {
				case "expired":
					mustSet(t, backends[0], key, "old", time.Nanosecond)
				case "damaged":
					writeFile(t, fileOf(backends[0], key), []byte("?"))
				}
				winners := make(chan string, 8)
				var group sync.WaitGroup
				for i := range cap(winners) {
					group.Go(func() {
						value := strconv.Itoa(i)
						added, err := backends[i%2].Add(t.Context(), key, []byte(value), time.Minute)
						if err != nil {
							t.Error(err)
						}
						if added {
							winners <- value
						}
					})
				}
				group.Wait()
				if len(winners) != 1 {
					t.Fatalf("%d winners", len(winners))
				}
				wantGet(t, backends[1], key, <-winners)
			}
		})
	}
}

func TestInc(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	tests := []struct {
		name   string
		stored string // empty: the key is absent
		delta  int64
		want   int64
		err    error
	}{
		{"absent", "", 5, 5, nil},
		{"absent, down", "", -5, -5, nil},
		{"present", "40", 2, 42, nil},
		{"below zero", "0", -1, -1, nil},
		{"to the maximum", "9223372036854775806", 1, math.MaxInt64, nil},
		{"beyond the maximum", "9223372036854775807", 1, 0, driver.ErrNotInteger},
		{"below the minimum", "-9223372036854775808", -1, 0, driver.ErrNotInteger},
		{"text", "many", 1, 0, driver.ErrNotInteger},
		{"too long for 64 bits", "99999999999999999999", 1, 0, driver.ErrNotInteger},
		{"plus sign", "+5", 1, 0, driver.ErrNotInteger},
		{"leading zeros", "007", 1, 0, driver.ErrNotInteger},
		{"minus zero", "-0", 1, 0, driver.ErrNotInteger},
		{"blank", "5 ", 1, 0, driver.ErrNotInteger},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.stored != "" {
				mustSet(t, b, test.name, test.stored, 0)
			}
			sum, err := b.Inc(t.Context(), test.name, test.delta, time.Minute)
			if sum != test.want || !errors.Is(err, test.err) {
				t.Fatalf("Inc = %d, %v; want %d, %v", sum, err, test.want, test.err)
			}
			if err != nil {
				wantGet(t, b, test.name, test.stored)
				return
			}
			wantGet(t, b, test.name, strconv.FormatInt(test.want, 10))
			left, _, _ := b.TTL(t.Context(), test.name)
			if existing := test.stored != ""; existing != (left == 0) {
				t.Errorf("TTL is %v, want that of the existing entry", left)
			}
		})
	}
}

func TestConcurrentInc(t *testing.T) {
	dir := t.TempDir()
	backends := []*Backend{openAt(t, Options{Dir: dir}), openAt(t, Options{Dir: dir})}
	const callers, each = 8, 25
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for range each {
				if _, err := backends[i%2].Inc(t.Context(), "n", 1, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	wantGet(t, backends[0], "n", strconv.Itoa(callers*each))
}

func TestFileModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	b := openAt(t, Options{Dir: dir})
	mustSet(t, b, "k", "v", time.Minute)
	wantMode := func(path string, want fs.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
	}
	wantMode(dir, 0o700)
	wantMode(fileOf(b, "k"), 0o600)
	shared := openAt(t, Options{Dir: dir, Mode: 0o666})
	mustSet(t, shared, "k", "v", time.Minute)
	wantMode(fileOf(b, "k"), 0o666)
}

// Names of all lengths, more than one system call returns, and names of other than
// regular files.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	for i := range 3000 {
		name := strings.Repeat("n", i%250) + strconv.Itoa(i)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "dir"), 0o700), os.Symlink("nowhere", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	d, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	got, err := d.names(0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		want = append(want, entry.Name())
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%d names are listed, want %d", len(got), len(want))
	}
}

// Foreign files are left alone, in the directory and in the fan-out directories. Rule
// CLR-6 of the contract.
func TestClearKeepsForeignFiles(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	name, slice := b.entryName("k"), filepath.Dir(fileOf(b, "k"))
	foreign := []string{
		"README", ".keep", "x.tmp", "x.cache", strings.ToUpper(name), name + "~", name[1:], "0" + name,
		"65000000-" + strings.Repeat("A", 10) + tempSuffix,
	}
	directories := []string{"sub", b.entryName("directory")}
	want := []string{filepath.Join(b.options.Dir, name)} // a file of version 1
	for _, dir := range []string{b.options.Dir, slice} {
		for _, name := range foreign {
			want = append(want, filepath.Join(dir, name))
		}
	}
	for _, path := range want {
		writeFile(t, path, nil)
	}
	for _, dir := range []string{b.options.Dir, slice} {
		for _, name := range directories {
			want = append(want, filepath.Join(dir, name))
			if err := os.Mkdir(want[len(want)-1], 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 200 {
		mustSet(t, b, strconv.Itoa(i), "v", 0)
	}
	writeFile(t, filepath.Join(slice, b.temps.next(time.Now())), nil)
	for range 2 { // also if there is no entry
		if err := b.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := append(files(t, b.options.Dir, "*"), files(t, b.options.Dir, ".keep")...)
	got = slices.Compact(slices.Sorted(slices.Values(got)))
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("%d files remain, want %d:\n%q\n%q", len(got), len(want), got, want)
	}
}

// The files of version 1 were in the directory itself. They are foreign files.
func TestFilesOfVersionOne(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir, Threshold: 4})
	old := encoded("k", "old", 0)
	old[4] = 1
	path := filepath.Join(dir, b.entryName("k"))
	writeFile(t, path, resealed(old))
	wantAbsent(t, b, "k")
	if added, err := b.Add(t.Context(), "k", []byte("new"), 0); !added || err != nil {
		t.Fatal(added, err)
	}
	for i := range 20 {
		mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
	}
	if err := b.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir, "*"); len(got) != 1 || got[0] != path {
		t.Errorf("%q remain, want the file of version 1", got)
	}
}

func TestClearPrefix(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	long := strings.Repeat("x", 20_000)
	ours := []string{"app[1]*:", "app[1]*:b", "app[1]*:" + long}
	theirs := []string{"app[1]*", "app1:b", "App[1]*:b", "b", long}
	for _, key := range append(ours, theirs...) {
		mustSet(t, b, key, long, 0)
	}
	if err := b.ClearPrefix(t.Context(), "app[1]*:"); err != nil {
		t.Fatal(err)
	}
	for _, key := range ours {
		wantAbsent(t, b, key)
	}
	for _, key := range theirs {
		wantGet(t, b, key, long)
	}
}

// Rule CLR-7 of the contract.
func TestRemovedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	b, reader := openAt(t, Options{Dir: dir}), openAt(t, Options{Dir: dir})
	verbs := map[string]func() error{
		"set": func() error { return b.Set(t.Context(), "k", []byte("1"), 0) },
		"add": func() error {
			added, err := b.Add(t.Context(), "k", []byte("1"), 0)
			return errors.Join(err, map[bool]error{false: errors.New("not added")}[added])
		},
		"inc":  func() error { _, err := b.Inc(t.Context(), "k", 1, 0); return err },
		"ping": func() error { return b.Ping(t.Context()) },
	}
	for verb, call := range verbs {
		t.Run(verb, func(t *testing.T) {
			mustSet(t, b, "old", "v", 0)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			wantAbsent(t, b, "old")
			if deleted, err := b.Delete(t.Context(), "old"); deleted || err != nil {
				t.Error("Delete:", deleted, err)
			}
			if err := errors.Join(b.Clear(t.Context()), b.ClearPrefix(t.Context(), "o")); err != nil {
				t.Error("Clear:", err)
			}
			if err := call(); err != nil {
				t.Fatal(err)
			}
			if verb != "ping" {
				wantGet(t, b, "k", "1")
				wantGet(t, reader, "k", "1")
			}
		})
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	b, err := New(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	mustSet(t, b, "k", "v", time.Minute)
	mustSet(t, b, "forever", "v", 0)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAt(t, Options{Dir: dir})
	wantGet(t, b, "k", "v")
	if left, ok, err := b.TTL(t.Context(), "k"); !ok || err != nil || left > time.Minute || left < 50*time.Second {
		t.Errorf("TTL = %v, %v, %v", left, ok, err)
	}
	if left, ok, err := b.TTL(t.Context(), "forever"); !ok || err != nil || left != 0 {
		t.Errorf("TTL of a key that never expires = %v, %v, %v", left, ok, err)
	}
}

func TestClose(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := 0; ; i++ {
				err := b.Set(t.Context(), "k", []byte("v"), 0)
				if _, _, getting := b.Get(t.Context(), "k"); err == nil {
					err = getting
				}
				if errors.Is(err, driver.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	ctx := t.Context()
	_, _, get := b.Get(ctx, "k")
	_, has := b.Has(ctx, "k")
	_, _, ttl := b.TTL(ctx, "k")
	_, add := b.Add(ctx, "k", nil, 0)
	_, del := b.Delete(ctx, "k")
	_, inc := b.Inc(ctx, "k", 1, 0)
	for verb, err := range map[string]error{
		"get": get, "has": has, "ttl": ttl, "set": b.Set(ctx, "k", nil, 0), "add": add, "delete": del, "inc": inc,
		"clear": b.Clear(ctx), "clear_prefix": b.ClearPrefix(ctx, "k"), "ping": b.Ping(ctx),
	} {
		if !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s after Close: %v", verb, err)
		}
	}
}

func TestLockWait(t *testing.T) {
	dir := t.TempDir()
	b, other := openAt(t, Options{Dir: dir}), openAt(t, Options{Dir: dir})
	mustSet(t, b, "k", "old", 0)
	held, err := other.tree.slice(sliceOf(other.entryName("k")), false)
	if err == nil {
		err = other.lock(t.Context(), held)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer other.unlock(held)
	wantGet(t, b, "k", "old") // reads do not need the lock

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := b.Set(ctx, "k", []byte("new"), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("Set:", err)
	}
	if _, err := b.Inc(ctx, "k", 1, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("Inc:", err)
	}
	wantGet(t, b, "k", "old")
	if temps := files(t, dir, "*"+tempSuffix); len(temps) > 0 {
		t.Errorf("temporary files remain: %q", temps)
	}

	waiting := make(chan error)
	go func() { waiting <- b.Set(t.Context(), "k", []byte("new"), 0) }()
	for len(b.tree.slices[held.index].Load().writer) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := b.Close(); err != nil {
		t.Error("Close:", err)
	}
	if err := <-waiting; !errors.Is(err, driver.ErrClosed) {
		t.Error("Set during Close:", err)
	}
}

func TestClearDuringWrites(t *testing.T) {
	dir := t.TempDir()
	var setters sync.WaitGroup
	var setting atomic.Int32
	for range 2 {
		b := openAt(t, Options{Dir: dir})
		setting.Add(1)
		setters.Go(func() {
			defer setting.Add(-1)
			for i := range 200 {
				key := strconv.Itoa(i % 50)
				_, adding := b.Add(t.Context(), key, []byte("v"), 0)
				_, counting := b.Inc(t.Context(), "n", 1, 0)
				_, _, getting := b.Get(t.Context(), key)
				if err := errors.Join(adding, counting, getting, b.Set(t.Context(), key, []byte("v"), 0)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	b := openAt(t, Options{Dir: dir})
	for setting.Load() > 0 {
		if err := b.Clear(t.Context()); err != nil {
			t.Error(err)
		}
	}
	setters.Wait()
	if err := b.Clear(t.Context()); err != nil {
		t.Error(err)
	}
	if left := files(t, dir, "*"); len(left) > 0 {
		t.Errorf("not removed: %q", left)
	}
}

func TestDirIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, []byte("precious"))
	for _, dir := range []string{path, filepath.Join(path, "below")} {
		_, err := New(t.Context(), Options{Dir: dir})
		if !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), path) {
			t.Errorf("New = %v", err)
		}
	}
	if got := readFile(t, path); string(got) != "precious" {
		t.Errorf("the file holds %q", got)
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name    string
		options Options
		want    string
	}{
		{"no directory", Options{}, "CACHE_DIR (Options.Dir): missing: directory of the entries"},
		{"negative threshold", Options{Dir: dir, Threshold: -2}, "CACHE_THRESHOLD (Options.Threshold): -2 is too small: at least -1"},
		{"mode without owner", Options{Dir: dir, Mode: 0o044}, "CACHE_OPTIONS.mode (Options.Mode): 044 is not permissions"},
		{"mode with more than permissions", Options{Dir: dir, Mode: Mode(fs.ModeDir | 0o600)}, "(Options.Mode): 020000000600 is not permissions"},
		{"unknown hash", Options{Dir: dir, HashMethod: "crc32"}, `CACHE_FILE_HASH_METHOD (Options.HashMethod): "crc32" is not md5, sha1`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(t.Context(), test.options)
			if !errors.Is(err, driver.ErrInvalidSettings) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New = %v, want %s in it", err, test.want)
			}
		})
	}
}

func TestSync(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Sync: true})
	mustSet(t, b, "k", "v", time.Minute)
	if _, err := b.Inc(t.Context(), "n", 1, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add(t.Context(), "a", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	wantGet(t, b, "k", "v")
}

func TestErrorsOmitValues(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	mustSet(t, b, "k", "secret", 0)
	_, err := b.Inc(t.Context(), "k", 1, 0)
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "secret") {
		t.Error(err)
	}
}
