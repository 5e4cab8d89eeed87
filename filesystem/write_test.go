package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// The temporary file of a write may disappear: another host, whose clock is ahead,
// takes it for one that a crash has left, or a Clear removes it. The write stores all
// the same, or fails.
func TestRemovedTemporaryFile(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	removals := map[string]func(s *slice, temp string) error{
		"scan by a later clock": func(s *slice, _ string) error {
			_, _, err := list(s.tree, s.index, time.Now().Add(2*staleAge), 0)
			return err
		},
		"Clear":   func(*slice, string) error { return b.Clear(t.Context()) },
		"removal": func(s *slice, temp string) error { return s.remove(temp) },
	}
	before := map[string]func(key string){
		"absent":  func(string) {},
		"expired": func(key string) { mustSet(t, b, key, "old", time.Nanosecond) },
		"damaged": func(key string) { writeFile(t, fileOf(b, key), []byte("?")) },
	}
	publishers := map[string]func(tx *writeTx) error{
		"Set": func(tx *writeTx) error { return tx.publish(t.Context()) },
		"Add": func(tx *writeTx) error {
			added, err := tx.publishIfAbsent(t.Context())
			if !added && err == nil {
				err = errors.New("not added")
			}
			return err
		},
	}
	scans := map[string]int{"": 0, ", scan due": b.tree.usage.batchSize()} // entries added since the last scan
	for removal, remove := range removals {
		for state, prepare := range before {
			for verb, publish := range publishers {
				for scan, added := range scans {
					t.Run(verb+", "+state+", "+removal+scan, func(t *testing.T) {
						key := t.Name()
						prepare(key)
						b.tree.usage.addedSinceScan = added
						err := inSlice(b, key, func(s *slice) error {
							tx := writeOf(b, s, newEntry(key, []byte("stored"), time.Hour))
							if err := tx.stage(t.Context()); err != nil {
								return err
							}
							if err := remove(s, tx.temp); err != nil {
								return err
							}
							if _, err := os.Stat(filepath.Join(s.path, tx.temp)); !errors.Is(err, fs.ErrNotExist) {
								t.Fatal("the temporary file is not removed:", err)
							}
							return tx.withRoom(t.Context(), func() error { return publish(tx) })
						})
						if err != nil {
							t.Fatal(err)
						}
						wantGet(t, b, key, "stored")
						if temps := files(t, b.options.Dir, "*"+tempSuffix); len(temps) > 0 {
							t.Errorf("temporary files remain: %q", temps)
						}
					})
				}
			}
		}
	}
}

// If the temporary file disappears again and again, the write fails.
func TestTemporaryFileRemovedForEver(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	moves := 0
	err := inSlice(b, "k", func(s *slice) error {
		tx := writeOf(b, s, newEntry("k", []byte("v"), time.Hour))
		if err := tx.stage(t.Context()); err != nil {
			return err
		}
		return b.withLock(t.Context(), s, func() error {
			return tx.move(t.Context(), func(temp, name string) error {
				moves++
				s.remove(temp)
				return s.rename(temp, name)
			})
		})
	})
	if !errors.Is(err, driver.ErrUnavailable) || moves < 2 || moves > 10 {
		t.Errorf("%v after %d attempts, want ErrUnavailable after a few", err, moves)
	}
	wantAbsent(t, b, "k")
}

// Add works on file systems without hard links: it has one winner, and its loser is
// never visible.
func TestAddWithoutHardLinks(t *testing.T) {
	dir := t.TempDir()
	backends := []*Backend{openAt(t, Options{Dir: dir}), openAt(t, Options{Dir: dir})}
	for round := range 20 {
		key := strconv.Itoa(round)
		for _, b := range backends {
			inSlice(b, key, func(s *slice) error { s.noLinks.Store(true); return nil })
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
	if temps := files(t, dir, "*"+tempSuffix); len(temps) > 0 {
		t.Errorf("temporary files remain: %q", temps)
	}
	err := inSlice(backends[0], "k", func(s *slice) error { return s.claim("absent"+tempSuffix, backends[0].entryName("k")) })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("claim without a temporary file = %v", err)
	}
	wantAbsent(t, backends[0], "k")
	if _, err := os.Stat(fileOf(backends[0], "k")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("claim has left an empty file:", err)
	}
}

func TestHasNoLinks(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EPERM: true, syscall.ENOSYS: true, syscall.ENOTSUP: true, syscall.EMLINK: true,
		syscall.EEXIST: false, syscall.ENOENT: false, syscall.ENOSPC: false, syscall.EIO: false,
	} {
		if got := hasNoLinks(&os.LinkError{Op: "link", Err: err}); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
