package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/filesystem"
)

// fillLimit bounds the time in which a directory is filled: where a disk is slow,
// the largest sizes are left out.
const fillLimit = 90 * time.Second

// directorySeries are what a directory of so many files costs, by file: the lanes
// are what is done to it, one after the other.
func directorySeries(dirs []string) []series {
	var all []series
	for _, files := range []int{1000, 10_000, 100_000, 1_000_000} {
		for _, kind := range []string{"filesystem", "raw"} {
			d := &directory{parent: dirs[len(dirs)-1], files: files, raw: kind == "raw"}
			s := series{group: "Directory", name: kind, size: strconv.Itoa(files), most: 1, load: 4 * files, heavy: files > 10_000}
			if files >= 1_000_000 {
				s.missing = missingMemory(8 << 30) // for files in memory, and the system's own for those on a disk
			}
			s.prepare = d.prepare
			s.release = d.remove
			for _, step := range []struct {
				name string
				run  func(b *testing.B) error
			}{{"set", d.set}, {"get", d.get}, {"open", d.open}, {"evict", d.evict}, {"clear", d.clear}} {
				if d.raw && step.name == "evict" {
					continue
				}
				s.lanes = append(s.lanes, lane{step.name, func() (func(*testing.B), func(), error) {
					return func(b *testing.B) {
						b.ReportAllocs()
						if err := step.run(b); err != nil {
							fail(b, err)
						}
					}, func() {}, nil
				}})
			}
			all = append(all, s)
		}
	}
	return all
}

// directory is filled by the first lane and emptied by the last.
type directory struct {
	parent string
	files  int
	raw    bool // the bare system calls

	path  string
	keys  []string
	value []byte
	next  int // of the keys beyond those of the files
}

func (d *directory) prepare() (err error) {
	d.path, err = os.MkdirTemp(d.parent, "bench")
	d.keys, d.value, d.next = makeKeys(0, d.files), make([]byte, valueSize), d.files
	return err
}

func (d *directory) remove() {
	os.RemoveAll(d.path)
	d.keys = nil
}

// store opens the directory, with room for so many files.
func (d *directory) store(threshold int) (fileStore, *filesystem.Backend, error) {
	if d.raw {
		s, err := openRaw(d.path)
		return s, nil, err
	}
	b, err := filesystem.New(context.Background(), filesystem.Options{Dir: d.path, Threshold: threshold})
	if err != nil {
		return fileStore{}, nil, err
	}
	return storeOfFiles(b), b, nil
}

// fill makes what files are missing, from the first on.
func (d *directory) fill(s fileStore) error {
	start := time.Now()
	for i, key := range d.keys {
		if err := s.set(key, d.value); err != nil {
			return err
		}
		if i%1000 == 0 && time.Since(start) > fillLimit {
			return fmt.Errorf("%d of %d files after %v", i, d.files, fillLimit)
		}
	}
	return nil
}

func (d *directory) empty() error {
	err := os.RemoveAll(d.path)
	return errors.Join(err, os.Mkdir(d.path, 0o700))
}

func (d *directory) set(b *testing.B) error {
	for b.Loop() {
		b.StopTimer()
		if err := d.empty(); err != nil {
			return err
		}
		s, _, err := d.store(filesystem.NoLimit)
		if err != nil {
			return err
		}
		b.StartTimer()
		if err := d.fill(s); err != nil {
			return err
		}
		b.StopTimer()
		s.close()
		b.StartTimer()
	}
	perItem(b, d.files)
	return nil
}

func (d *directory) get(b *testing.B) error {
	s, _, err := d.store(filesystem.NoLimit)
	if err != nil {
		return err
	}
	defer s.close()
	for b.Loop() {
		if _, err := s.get(d.keys[rand.IntN(d.files)]); err != nil {
			return err
		}
	}
	return nil
}

// open includes the first write, which looks at the whole directory; a raw one is
// only listed.
func (d *directory) open(b *testing.B) error {
	for b.Loop() {
		s, _, err := d.store(filesystem.NoLimit)
		if err == nil && !d.raw {
			err = s.set(d.keys[0], d.value)
		}
		if err == nil && d.raw {
			_, err = names(d.path)
		}
		if err != nil {
			return err
		}
		s.close()
	}
	perItem(b, d.files)
	return nil
}

// evict stores as many new keys as it takes to evict once, in a full directory.
func (d *directory) evict(b *testing.B) error {
	s, _, err := d.store(d.files)
	if err != nil {
		return err
	}
	defer s.close()
	sets := d.files/8 + 1
	longest := time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		fresh := makeKeys(d.next, sets)
		d.next += sets
		b.StartTimer()
		for _, key := range fresh {
			start := time.Now()
			if err := s.set(key, d.value); err != nil {
				return err
			}
			longest = max(longest, time.Since(start))
		}
	}
	perItem(b, sets)
	b.ReportMetric(float64(longest), longestUnit)
	return nil
}

// clear empties the directory, and fills it again where that was too short.
func (d *directory) clear(b *testing.B) error {
	removed, peak := 0, int64(0)
	for b.Loop() {
		b.StopTimer()
		s, backend, err := d.store(filesystem.NoLimit)
		if err != nil {
			return err
		}
		all, err := names(d.path)
		if err == nil && len(all) < d.files/2 {
			err = d.fill(s)
			all, _ = names(d.path)
		}
		if err != nil {
			return err
		}
		removed += len(all)
		clear := func() error { return backend.Clear(context.Background()) }
		if d.raw {
			clear = func() error { return removeAll(d.path, all) }
		}
		above := peakHeap()
		b.StartTimer()
		err = clear()
		b.StopTimer()
		if err != nil {
			return err
		}
		peak = max(peak, above())
		s.close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(removed), itemUnit)
	b.ReportMetric(float64(peak), peakUnit)
	return nil
}

// perItem reports what one of the many took that an operation was about.
func perItem(b *testing.B, items int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*items), itemUnit)
}

func names(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func removeAll(dir string, names []string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
