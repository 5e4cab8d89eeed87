package stores

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/peterbourgon/diskv/v3"
)

// Files are ways to keep values in files below dir. A threshold of 0 is no limit.
func Files(dir string, threshold int) Kind {
	if threshold == 0 {
		threshold = filesystem.NoLimit
	}
	start := func() (addr string, stop func(), err error) {
		addr, err = os.MkdirTemp(dir, "bench")
		return addr, func() { os.RemoveAll(addr) }, err
	}
	return Kind{start: start, peers: []peer{
		{"filesystem", "nothing: the key is compared, the checksum and the expiry are checked", true, func(addr string) (store, error) {
			return through(filesystem.New(ctx, filesystem.Options{Dir: filepath.Join(addr, "ours"), Threshold: threshold}))
		}},
		{"raw", "expiry, a bound, a checksum: os.ReadFile; os.WriteFile to a temporary name and os.Rename", false, openRawFiles},
		{"diskv", "expiry, a bound, a checksum; parallel writes; its cache in memory is off", false, openDiskv},
	}}
}

func openRawFiles(addr string) (store, error) {
	dir, temp := filepath.Join(addr, "raw"), filepath.Join(addr, "raw.temp")
	s := singles(
		func(key string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, key)) },
		func(key string, value []byte) error {
			if err := os.WriteFile(temp, value, 0o600); err != nil {
				return err
			}
			return os.Rename(temp, filepath.Join(dir, key))
		},
		func(key string) error { return os.Remove(filepath.Join(dir, key)) },
		func() {},
	)
	s.clear = func() error {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		for _, name := range names {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	}
	return s, os.MkdirAll(dir, 0o700)
}

func openDiskv(addr string) (store, error) {
	d := diskv.New(diskv.Options{
		BasePath: filepath.Join(addr, "diskv"), TempDir: filepath.Join(addr, "diskv.temp"),
		Transform: func(string) []string { return nil }, // one flat directory
	})
	s := singles(d.Read, d.Write, d.Erase, func() {})
	s.clear = d.EraseAll
	return s, nil
}
