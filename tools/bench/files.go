package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/peterbourgon/diskv/v3"
)

// filePeer is one way to keep values in the files of a directory.
type filePeer struct {
	name  string
	lacks string
	open  func(dir string) (fileStore, error)
}

type fileStore struct {
	get   func(key string) ([]byte, error)
	set   func(key string, value []byte) error
	close func() error
}

func filePeers() []filePeer {
	return []filePeer{
		{"filesystem", "nothing: the key is compared, the checksum and the expiry are checked", openFilesystem},
		{"raw", "expiry, a bound, a checksum: os.ReadFile; os.WriteFile to a temporary name and os.Rename", openRaw},
		{"diskv", "expiry, a bound, a checksum; parallel writes; its cache in memory is off", openDiskv},
		{"diskv-inplace", "as diskv, and whole values: without TempDir a reader sees half-written files", openDiskvInPlace},
	}
}

func openFilesystem(dir string) (fileStore, error) {
	b, err := filesystem.New(context.Background(), filesystem.Options{Dir: dir, Threshold: filesystem.NoLimit})
	if err != nil {
		return fileStore{}, err
	}
	return storeOfFiles(b), nil
}

func storeOfFiles(b *filesystem.Backend) fileStore {
	ctx := context.Background()
	return fileStore{
		get: func(key string) ([]byte, error) {
			value, ok, err := b.Get(ctx, key)
			if err == nil && !ok {
				err = os.ErrNotExist
			}
			return value, err
		},
		set:   func(key string, value []byte) error { return b.Set(ctx, key, value, life) },
		close: b.Close,
	}
}

func openRaw(dir string) (fileStore, error) {
	temp := filepath.Join(dir, "temp")
	return fileStore{
		get: func(key string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, key)) },
		set: func(key string, value []byte) error {
			if err := os.WriteFile(temp, value, 0o600); err != nil {
				return err
			}
			return os.Rename(temp, filepath.Join(dir, key))
		},
		close: func() error { return nil },
	}, nil
}

func openDiskv(dir string) (fileStore, error) {
	return newDiskv(diskv.Options{BasePath: filepath.Join(dir, "data"), TempDir: filepath.Join(dir, "temp")})
}

func openDiskvInPlace(dir string) (fileStore, error) {
	return newDiskv(diskv.Options{BasePath: dir})
}

func newDiskv(options diskv.Options) (fileStore, error) {
	options.Transform = func(string) []string { return nil } // one flat directory
	d := diskv.New(options)
	return fileStore{get: d.Read, set: d.Write, close: func() error { return nil }}, nil
}

var fileSizes = []struct {
	name  string
	bytes int
}{{"100B", 100}, {"4KiB", 4 << 10}, {"64KiB", 64 << 10}}

// residentFiles is how many files are read, and replaced, in turn.
const residentFiles = 256

func fileSeries(dirs []string) []series {
	var all []series
	for _, dir := range dirs {
		system := fileSystem(dir)
		for _, size := range fileSizes {
			for _, op := range []string{"get", "replace", "create"} {
				s := series{group: "File", name: op + "-" + system, size: size.name}
				for _, p := range filePeers() {
					s.lanes = append(s.lanes, lane{p.name, func() (func(*testing.B), func(), error) {
						return openFileRun(p, dir, op, size.bytes)
					}})
				}
				all = append(all, s)
			}
		}
	}
	return all
}

func openFileRun(p filePeer, dir, op string, size int) (run func(*testing.B), close func(), err error) {
	dir, err = os.MkdirTemp(dir, "bench")
	if err != nil {
		return nil, nil, err
	}
	s, err := p.open(dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	value := make([]byte, size)
	keys := make([]string, residentFiles)
	for i := range keys {
		keys[i] = "resident" + strconv.Itoa(i)
		if err == nil {
			err = s.set(keys[i], value)
		}
	}
	close = func() {
		s.close()
		os.RemoveAll(dir)
	}
	if err != nil {
		close()
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	created := 0
	step := map[string]func(i int) error{
		"get": func(i int) error {
			got, err := s.get(keys[i%residentFiles])
			if err == nil && len(got) != size {
				err = fmt.Errorf("%d of %d bytes", len(got), size)
			}
			return err
		},
		"replace": func(i int) error { return s.set(keys[i%residentFiles], value) },
		"create": func(int) error {
			created++
			return s.set("created"+strconv.Itoa(created), value)
		},
	}[op]
	return func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := step(i); err != nil {
				b.Fatal(err)
			}
		}
	}, close, nil
}
