package filesystem

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// mountTmpfs mounts a tmpfs for the test.
func mountTmpfs(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		skip(t, "mounting a tmpfs: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error("unmount:", err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := mountTmpfs(t, "size=64k")
	b := openAt(t, Options{Dir: dir})
	value := string(pattern('v', 3000))
	stored := 0
	var err error
	for ; err == nil && stored < 100; stored++ {
		err = b.Set(t.Context(), strconv.Itoa(stored), []byte(value), time.Minute)
	}
	stored--
	if !errors.Is(err, driver.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Set on a full disk = %v, want ErrFull", err)
	}
	if stored < 5 {
		t.Fatalf("only %d values were stored", stored)
	}
	ctx := t.Context()
	for _, key := range []string{"0", "new"} {
		if err := b.Set(ctx, key, pattern('w', 8000), 0); !errors.Is(err, driver.ErrFull) {
			t.Errorf("Set %q = %v, want ErrFull", key, err)
		}
	}
	if added, err := b.Add(ctx, "new", pattern('w', 8000), 0); added || !errors.Is(err, driver.ErrFull) {
		t.Errorf("Add = %v, %v; want ErrFull", added, err)
	}
	for i := range stored {
		wantGet(t, b, strconv.Itoa(i), value)
	}
	wantAbsent(t, b, "new")
	if temps := files(t, dir, "*"+tempSuffix); len(temps) > 0 {
		t.Errorf("temporary files remain: %q", temps)
	}
	if deleted, err := b.Delete(ctx, "0"); !deleted || err != nil {
		t.Errorf("Delete = %v, %v", deleted, err)
	}
	mustSet(t, b, "new", value, 0)
	wantGet(t, b, "new", value)
}

func TestNoFreeInodes(t *testing.T) {
	b := openAt(t, Options{Dir: mountTmpfs(t, "nr_inodes=5")})
	mustSet(t, b, "k", "v", 0)
	mustSet(t, b, "l", "v", 0)
	if err := b.Set(t.Context(), "m", []byte("v"), 0); !errors.Is(err, driver.ErrFull) {
		t.Errorf("Set = %v, want ErrFull", err)
	}
	wantGet(t, b, "k", "v")
}

func TestReadOnlyFileSystem(t *testing.T) {
	dir := mountTmpfs(t, "size=64k")
	b := openAt(t, Options{Dir: dir})
	mustSet(t, b, "k", "v", time.Minute)
	mustSet(t, b, "n", "1", time.Minute)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		skip(t, "remounting read-only: ", err)
	}
	wantWritesFail(t, b, syscall.EROFS)
	b = openAt(t, Options{Dir: dir}) // reading is still possible
	wantGet(t, b, "k", "v")
}

func TestUnwritableDirectory(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir, Mode: 0o644})
	mustSet(t, b, "k", "v", time.Minute)
	mustSet(t, b, "n", "1", time.Minute)
	slices, err := filepath.Glob(filepath.Join(dir, "??"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(slices, dir) {
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(path, 0o755)
	}
	if os.Geteuid() == 0 { // root ignores modes: become nobody on this thread
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const nobody = 65534
		if err := syscall.Setfsuid(nobody); err != nil {
			skip(t, "changing the user: ", err)
		}
		defer syscall.Setfsuid(0)
	}
	wantWritesFail(t, b, syscall.EACCES)
}

// Eviction keeps a file that it cannot open because too many files are open.
func TestEvictionWithTooManyOpenFiles(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	token := leaseOf(t, b, "k", time.Minute)
	var leased candidate
	err := inSlice(b, "k", func(s *slice) error {
		leased = candidate{slice: s, name: b.entryName("k")}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	live, held, err := b.removeExpired([]candidate{leased}, time.Now())
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if len(live) != 0 || held[leased.slice.index] != 1 || err != nil {
		t.Errorf("removeExpired = %v, %v, %v; want one file that is held", live, held, err)
	}
	wantFill(t, b, "k", token, true)
}

// wantWritesFail checks that k and n can be read and every write fails with want.
func wantWritesFail(t *testing.T, b *Backend, want syscall.Errno) {
	t.Helper()
	ctx := t.Context()
	_, add := b.Add(ctx, "new", []byte("w"), 0)
	_, inc := b.Inc(ctx, "n", 1, 0)
	_, del := b.Delete(ctx, "k")
	for verb, err := range map[string]error{
		"set": b.Set(ctx, "k", []byte("w"), 0), "add": add, "inc": inc, "delete": del,
		"clear": b.Clear(ctx), "clear_prefix": b.ClearPrefix(ctx, "k"), "ping": b.Ping(ctx),
	} {
		if !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, want) {
			t.Errorf("%s = %v, want ErrUnavailable and %v", verb, err, want)
		}
	}
	wantGet(t, b, "k", "v")
	wantGet(t, b, "n", "1")
}

// A link under the name of an entry is not followed, and a pipe does not block.
// A write replaces it, unless it is a directory.
func TestPlantedFiles(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	key, path := "k", ""
	target := filepath.Join(t.TempDir(), "target")
	plants := map[string]func() error{
		"link out of the directory": func() error { return os.Symlink(target, path) },
		"link to another entry":     func() error { return os.Symlink(b.entryName("other"), path) },
		"broken link":               func() error { return os.Symlink("nowhere", path) },
		"link to itself":            func() error { return os.Symlink(filepath.Base(path), path) },
		"pipe":                      func() error { return syscall.Mkfifo(path, 0o600) },
		"socket":                    func() error { return syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0) },
		"directory":                 func() error { return os.Mkdir(path, 0o700) },
		"pipe with a writer":        func() error { return pipeOf(t, path, nil) },
		"pipe with an entry":        func() error { return pipeOf(t, path, encoded(key, "planted", 0)) },
	}
	if err := leased(t, filepath.Join(t.TempDir(), "probe"), nil); err != nil {
		t.Log("no leases on this file system:", err)
	} else {
		plants["leased"] = func() error { return leased(t, path, encoded(key, "planted", 0)) }
	}
	if os.Geteuid() == 0 {
		plants["device of nothing"] = func() error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|3) }
		plants["device of zeros"] = func() error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|5) }
		plants["terminal"] = func() error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 5<<8) }
		plants["device not found"] = func() error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 5<<8|2) } // ptmx outside of devpts
		plants["device without driver"] = func() error { return syscall.Mknod(path, syscall.S_IFBLK|0o600, 250<<8|250) }
	}
	mustSet(t, b, "healthy", "value", time.Hour)
	for name, plant := range plants {
		t.Run(name, func(t *testing.T) {
			key = name
			path = fileOf(b, key)
			writeFile(t, target, encoded(key, "planted", 0))
			writeFile(t, fileOf(b, "other"), encoded(key, "planted", 0))
			replant := func() {
				t.Helper()
				os.Remove(path)
				if err := plant(); err != nil {
					t.Fatal(err)
				}
			}
			replant()
			wantAbsent(t, b, key)
			values, err := driver.Resolve(b).GetMany(t.Context(), []string{key, "healthy"})
			if string(values[1]) != "value" || err != nil && !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("GetMany = %q, %v; want the healthy value", values, err)
			}
			if deleted, err := b.Delete(t.Context(), key); deleted || err != nil {
				t.Errorf("Delete = %v, %v; want false", deleted, err)
			}
			writes := map[string]func() error{
				"Set": func() error { return b.Set(t.Context(), key, []byte("5"), time.Minute) },
				"Add": func() error { _, err := b.Add(t.Context(), key, []byte("5"), time.Minute); return err },
				"Inc": func() error { _, err := b.Inc(t.Context(), key, 5, time.Minute); return err },
			}
			for verb, write := range writes {
				replant()
				err := write()
				if name == "directory" {
					if info, statErr := os.Stat(path); err == nil || statErr != nil || !info.IsDir() {
						t.Errorf("%s = %v, want an error and the directory as it was: %v", verb, err, statErr)
					}
					if driver.EndsBatch(err) {
						t.Errorf("%s = %v, which ends a batch", verb, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", verb, err)
				}
				wantGet(t, b, key, "5")
			}
			if got := readFile(t, target); string(got) != string(encoded(key, "planted", 0)) {
				t.Error("the target of the link has changed")
			}
			if temps := files(t, b.options.Dir, "*"+tempSuffix); len(temps) > 0 {
				t.Errorf("temporary files remain: %q", temps)
			}
		})
	}
}

func TestModeIgnoresUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	b := openAt(t, Options{Dir: t.TempDir(), Mode: 0o664})
	mustSet(t, b, "k", "v", 0)
	info, err := os.Stat(fileOf(b, "k"))
	if err != nil || info.Mode().Perm() != 0o664 {
		t.Errorf("mode %v, %v; want 0664", info.Mode(), err)
	}
}

// pipeOf makes a pipe that has a writer and holds data.
func pipeOf(t *testing.T, path string, data []byte) error {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	t.Cleanup(func() { f.Close() })
	_, err = f.Write(data)
	return err
}

// leased makes a file that nobody else can open before its lease is given up.
func leased(t *testing.T, path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGIO) // with which the kernel asks for the lease
	t.Cleanup(func() { f.Close() })
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, syscall.F_WRLCK); errno != 0 {
		return errno
	}
	return nil
}
