package filesystem

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// hold makes the file immutable: root cannot remove or replace it either.
func hold(t *testing.T, path string) {
	t.Helper()
	setImmutable(t, path, true)
	t.Cleanup(func() { setImmutable(t, path, false) })
}

func setImmutable(t *testing.T, path string, on bool) {
	t.Helper()
	const getFlags, setFlags, immutable = 0x80086601, 0x40086602, 0x10
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var flags uintptr // an int for the kernel
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), getFlags, uintptr(unsafe.Pointer(&flags)))
	if errno == 0 {
		if flags &^= immutable; on {
			flags |= immutable
		}
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), setFlags, uintptr(unsafe.Pointer(&flags)))
	}
	if errno != 0 {
		skip(t, "making a file immutable: ", errno)
	}
}

// becomeNobody changes the user of this thread for the test, if it is root.
func becomeNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "changing the user needs root")
	}
	const nobody = 65534
	runtime.LockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		skip(t, "changing the user: ", err)
	}
	t.Cleanup(func() {
		syscall.Setfsuid(0)
		runtime.UnlockOSThread()
	})
}

// One entry that cannot be replaced or removed fails alone. Rule BAT-16.
func TestHeldEntry(t *testing.T) {
	b, ctx := openAt(t, Options{Dir: t.TempDir(), Threshold: 16}), t.Context()
	operations := driver.Resolve(b)
	for _, key := range []string{"held", "expired", "first", "last"} {
		ttl := map[string]time.Duration{"held": time.Minute, "expired": time.Nanosecond}[key]
		mustSet(t, b, key, "1", ttl)
	}
	hold(t, fileOf(b, "held"))
	hold(t, fileOf(b, "expired"))
	wantGet(t, b, "held", "1")

	_, inc := b.Inc(ctx, "held", 1, 0)
	_, del := b.Delete(ctx, "held")
	_, add := b.Add(ctx, "expired", nil, 0)
	for verb, err := range map[string]error{"Set": b.Set(ctx, "held", nil, 0), "Inc": inc, "Delete": del, "Add": add} {
		if err == nil || driver.EndsBatch(err) || !errors.Is(err, os.ErrPermission) || errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s = %v, want os.ErrPermission, for the one key", verb, err)
		}
	}
	wantOnly := func(err error, keys ...string) {
		t.Helper()
		var batch *driver.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != len(keys) {
			t.Fatalf("%v, want the failure of %q", err, keys)
		}
		for i, key := range keys {
			if batch.Failed[i].Key != key {
				t.Errorf("%v, want the failure of %q", err, keys)
			}
		}
	}
	items := []driver.Item{{Key: "first", Value: []byte("2")}, {Key: "held", Value: []byte("2")}, {Key: "expired"}, {Key: "last", Value: []byte("2")}}
	wantOnly(operations.SetMany(ctx, items, time.Hour), "held", "expired")
	wantGet(t, b, "first", "2")
	wantGet(t, b, "last", "2")
	deleted, err := operations.DeleteMany(ctx, []string{"first", "held", "last"})
	if wantOnly(err, "held"); !deleted[0] || !deleted[2] {
		t.Errorf("DeleteMany = %v", deleted)
	}

	for i := range 50 { // more than the threshold
		mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
		if got := count(t, b); got > 16+2 {
			t.Fatalf("%d entries after %d writes", got, i+1)
		}
	}
	for name, clear := range map[string]func() error{
		"Clear":       func() error { return b.Clear(ctx) },
		"ClearPrefix": func() error { return b.ClearPrefix(ctx, "") },
	} {
		for i := range 10 {
			mustSet(t, b, strconv.Itoa(i), "v", time.Hour)
		}
		err := clear()
		if err == nil || errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "2 files") {
			t.Errorf("%s = %v, want the 2 files that remain", name, err)
		}
		if got := count(t, b); got != 2 {
			t.Errorf("%s leaves %d entries, want the 2 that cannot be removed", name, got)
		}
	}
}

// The directory is full of entries that cannot be removed: they do not count.
func TestFullOfHeldEntries(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Threshold: 4})
	for i := range 4 {
		mustSet(t, b, "held"+strconv.Itoa(i), "v", time.Minute)
		hold(t, fileOf(b, "held"+strconv.Itoa(i)))
	}
	for i := range 20 {
		key := strconv.Itoa(i)
		mustSet(t, b, key, "v", time.Hour)
		wantGet(t, b, key, "v")
	}
	b.evictions.Wait() // it counts the last of them
	if b.tree.usage.full(0) {
		t.Error("the directory counts as full, and every write scans it")
	}
	if got := count(t, b); got > 2*4 {
		t.Errorf("%d entries, want the 4 that cannot be removed and 4 others", got)
	}
}

// A file that this process cannot read, such as one that the program left when it ran
// as root, is an absent entry, which the next write replaces. Rules BAS-15, BAT-16.
func TestUnreadableEntry(t *testing.T) {
	dir := t.TempDir()
	b, ctx := openAt(t, Options{Dir: dir}), t.Context()
	if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	private := []string{"first", "second", "third", "fourth"}
	for _, key := range private {
		mustSet(t, b, key, "of root", time.Hour)
	}
	becomeNobody(t)
	mustSet(t, b, "healthy", "value", time.Hour)
	for _, key := range private {
		wantAbsent(t, b, key)
		if _, _, err := b.Get(ctx, key); !errors.Is(err, driver.ErrCorrupt) || !errors.Is(err, os.ErrPermission) {
			t.Errorf("Get = %v, want ErrCorrupt and os.ErrPermission", err)
		}
	}
	values, _ := driver.Resolve(b).GetMany(ctx, []string{"first", "healthy"})
	if values[0] != nil || string(values[1]) != "value" {
		t.Errorf("GetMany = %q, want the healthy value", values)
	}
	if deleted, err := b.Delete(ctx, "first"); deleted || err != nil {
		t.Errorf("Delete = %v, %v; want false", deleted, err)
	}
	if added, err := b.Add(ctx, "second", []byte("mine"), 0); !added || err != nil {
		t.Errorf("Add = %v, %v; want true", added, err)
	}
	wantGet(t, b, "second", "mine")
	if sum, err := b.Inc(ctx, "third", 5, 0); sum != 5 || err != nil {
		t.Errorf("Inc = %d, %v; want 5", sum, err)
	}
	mustSet(t, b, "fourth", "mine", 0)
	wantGet(t, b, "fourth", "mine")
}

// GetOrSet over an unreadable file loads once, not for ever.
func TestGetOrSetOfUnreadableEntry(t *testing.T) {
	dir := t.TempDir()
	mustSet(t, openAt(t, Options{Dir: dir}), "k", "of another", 0)
	if os.Geteuid() != 0 {
		skip(t, "changing the owner needs root")
	}
	b := openAt(t, Options{Dir: dir})
	setMode := func(mode os.FileMode) {
		if err := os.Chmod(fileOf(b, "k"), mode); err != nil {
			t.Fatal(err)
		}
	}
	setMode(0)
	view := cache.Of[string](cache.New(unprivileged{b}))
	loads := 0
	for range 3 {
		got, err := view.GetOrSet(t.Context(), "k", func(context.Context) (string, error) { loads++; return "loaded", nil })
		if got != "loaded" || err != nil {
			t.Fatalf("GetOrSet = %q, %v", got, err)
		}
	}
	if loads != 1 {
		t.Errorf("%d loads, want 1", loads)
	}
}

// unprivileged reads as nobody: GetOrSet calls a backend on several threads.
type unprivileged struct{ *Backend }

func (u unprivileged) Get(ctx context.Context, key string) ([]byte, bool, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	info, err := os.Stat(fileOf(u.Backend, key))
	if err == nil && info.Mode().Perm() == 0 {
		syscall.Setfsuid(65534)
		defer syscall.Setfsuid(0)
	}
	return u.Backend.Get(ctx, key)
}

// A sparse file of any length costs nothing to make. Its header agrees with its size.
// Rule SEC-1.
func TestSparseFiles(t *testing.T) {
	for name, size := range map[string]int64{
		"small": 1 << 20, "large": 100 << 20, "too large": maxFileSize + 1, "beyond memory": 1 << 43,
	} {
		t.Run(name, func(t *testing.T) {
			b, ctx := openAt(t, Options{Dir: t.TempDir()}), t.Context()
			plant := func() {
				t.Helper()
				head := entry{key: "k"}.appendHead(nil)
				putValueLen(head, uint64(size)-uint64(len(head)))
				writeFile(t, fileOf(b, "k"), head)
				if err := os.Truncate(fileOf(b, "k"), size); err != nil {
					skip(t, "making a sparse file: ", err)
				}
				later := time.Now().Add(time.Hour)
				if err := os.Chtimes(fileOf(b, "k"), later, later); err != nil {
					t.Fatal(err)
				}
			}
			plant()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			wantAbsent(t, b, "k")
			if deleted, err := b.Delete(ctx, "k"); deleted || err != nil {
				t.Errorf("Delete = %v, %v; want false", deleted, err)
			}
			plant()
			if err := b.ClearPrefix(ctx, "x"); err != nil {
				t.Error("ClearPrefix:", err)
			}
			if sum, err := b.Inc(ctx, "k", 2, 0); sum != 2 || err != nil {
				t.Errorf("Inc = %d, %v; want 2", sum, err)
			}
			plant()
			if added, err := b.Add(ctx, "k", []byte("v"), 0); !added || err != nil {
				t.Errorf("Add = %v, %v; want true", added, err)
			}
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<20 {
				t.Errorf("%d MiB allocated", allocated>>20)
			}
		})
	}
}

// Scan allocates no memory for the long key that a sparse file claims to have. Rule SEC-1.
func TestScanOfSparseFile(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	const size = 100 << 20
	head := entry{}.appendHead(nil)
	binary.LittleEndian.PutUint32(head[24:], size-headerSize)
	writeFile(t, fileOf(b, "k"), head)
	if err := os.Truncate(fileOf(b, "k"), size); err != nil {
		skip(t, "making a sparse file: ", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := scanned(t, b, ""); len(got) > 0 {
		t.Errorf("Scan lists %d keys", len(got))
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<20 {
		t.Errorf("%d MiB allocated", allocated>>20)
	}
}

func putValueLen(head []byte, n uint64) {
	for i := range 8 {
		head[16+i] = byte(n >> (8 * i))
	}
}

func TestTooLarge(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	ctx := t.Context()
	huge, err := syscall.Mmap(-1, 0, maxFileSize, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(huge)
	_, add := b.Add(ctx, "k", huge, 0)
	for verb, err := range map[string]error{"Set": b.Set(ctx, "k", huge, 0), "Add": add} {
		if !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("%s = %v, want ErrTooLarge", verb, err)
		}
	}
	if left := files(t, b.options.Dir, "*"); len(left) > 0 {
		t.Errorf("files remain: %q", left)
	}
	for _, size := range []int{maxFileSize - headerSize - 1, maxFileSize - headerSize} {
		err := entry{key: "k", value: huge[:size]}.checkSize()
		if tooLarge := size+1 > maxFileSize-headerSize; tooLarge != errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// overlayfs does not show by the link count that a directory has been removed.
func TestRemovedDirectoryOnOverlay(t *testing.T) {
	for name, inLower := range map[string]bool{"merged": true, "upper": false} {
		t.Run(name, func(t *testing.T) {
			base := mountTmpfs(t, "size=4m")
			path := func(name string) string { return filepath.Join(base, name) }
			for _, name := range []string{"lower", "upper", "work", "merged"} {
				if err := os.Mkdir(path(name), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if inLower {
				if err := os.Mkdir(path("lower/cache"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			options := "lowerdir=" + path("lower") + ",upperdir=" + path("upper") + ",workdir=" + path("work")
			if err := syscall.Mount("overlay", path("merged"), "overlay", 0, options); err != nil {
				skip(t, "mounting an overlayfs: ", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(path("merged"), syscall.MNT_DETACH); err != nil {
					t.Error("unmount:", err)
				}
			})
			dir := path("merged/cache")
			writer, reader := openAt(t, Options{Dir: dir}), openAt(t, Options{Dir: dir})
			mustSet(t, writer, "k", "v", 0)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			wantAbsent(t, reader, "k")
			mustSet(t, writer, "k", "w", 0)
			wantGet(t, reader, "k", "w")
			if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil { // somebody makes it again
				t.Fatal(err)
			}
			wantAbsent(t, reader, "k")
			if added, err := writer.Add(t.Context(), "k", []byte("x"), 0); !added || err != nil {
				t.Fatalf("Add = %v, %v; want true", added, err)
			}
			wantGet(t, reader, "k", "x")
		})
	}
}

// Delete of a lease that cannot be removed fails: otherwise its Fill would store a
// value that was loaded before.
func TestHeldLease(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	token := leaseOf(t, b, "key", time.Minute)
	hold(t, fileOf(b, "key"))
	if deleted, err := b.Delete(t.Context(), "key"); deleted || !errors.Is(err, os.ErrPermission) {
		t.Errorf("Delete = %v, %v; want os.ErrPermission", deleted, err)
	}
	setImmutable(t, fileOf(b, "key"), false)
	wantFill(t, b, "key", token, true)
}

// With Sync, New flushes the names of the directories that it creates, for which it opens
// their parents.
func TestSyncOfNewDirectory(t *testing.T) {
	parent := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(parent), 0o755), os.Chmod(parent, 0o333)); err != nil {
		t.Fatal(err)
	}
	becomeNobody(t)
	for name, sync := range map[string]bool{"lazy": false, "synced": true} {
		b, err := New(t.Context(), Options{Dir: filepath.Join(parent, name, "cache"), Sync: sync})
		if opened := errors.Is(err, os.ErrPermission); opened != sync {
			t.Errorf("New with Sync: %v in a directory that cannot be read = %v", sync, err)
		}
		if err == nil {
			b.Close()
		}
	}
	for _, path := range []string{"lazy/again", "synced"} { // nothing is opened above what exists
		b, err := New(t.Context(), Options{Dir: filepath.Join(parent, path), Sync: true})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
}

// A fan-out directory has the permissions and the owner of the directory, so that those
// who share the directory share it, also after the program ran as root.
func TestPermissionsOfFanOutDirectories(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o770|os.ModeSetgid|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 1234, 5678); err != nil {
			t.Fatal(err)
		}
	}
	mustSet(t, openAt(t, Options{Dir: dir}), "k", "v", 0)
	made, err := filepath.Glob(filepath.Join(dir, "??"))
	if err != nil || len(made) != 1 {
		t.Fatal(made, err)
	}
	want, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.Stat(made[0])
	if err != nil {
		t.Fatal(err)
	}
	if got.Mode() != want.Mode() {
		t.Errorf("mode %v, want %v", got.Mode(), want.Mode())
	}
	wantOwner, gotOwner := want.Sys().(*syscall.Stat_t), got.Sys().(*syscall.Stat_t)
	if gotOwner.Uid != wantOwner.Uid || gotOwner.Gid != wantOwner.Gid {
		t.Errorf("owner %d:%d, want %d:%d", gotOwner.Uid, gotOwner.Gid, wantOwner.Uid, wantOwner.Gid)
	}
}
