package stores

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/peterbourgon/diskv/v3"
)

// Files are ways to keep values in files below dir. If there is a threshold, which is
// the number of entries that there may be, diskv is not among them.
func Files(dir string, threshold int) Kind {
	start := func() (addr string, stop func(), err error) {
		addr, err = os.MkdirTemp(dir, "bench")
		return addr, func() { os.RemoveAll(addr) }, err
	}
	peers := []peer{
		{"filesystem", "nothing: the key is compared, the checksum and the expiry are checked", true, func(addr string) (store, error) {
			return through(filesystem.New(ctx, filesystem.Options{Dir: filepath.Join(addr, "ours"), Threshold: cmp.Or(threshold, filesystem.NoLimit)}))
		}},
		{"raw", "expiry, a bound, a checksum: os.ReadFile; os.WriteFile to a temporary name and os.Rename", false, openRawFiles},
		{"diskv", "expiry, a bound, a checksum; parallel writes; its cache in memory is off", false, openDiskv},
	}
	if threshold > 0 {
		peers = peers[:2]
	}
	return Kind{Start: start, peers: peers}
}

func openRawFiles(addr string) (store, error) {
	dir, temp := filepath.Join(addr, "raw"), filepath.Join(addr, "raw.temp"+strconv.Itoa(os.Getpid()))
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
	s.clearPrefix = func(prefix string) error {
		names, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
		for _, name := range names {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	}
	s.clear = func() error { return s.clearPrefix("") }
	return s, os.MkdirAll(dir, 0o700)
}

func openDiskv(addr string) (store, error) {
	d := diskv.New(diskv.Options{
		BasePath: filepath.Join(addr, "diskv"), TempDir: filepath.Join(addr, "diskv.temp"),
		Transform: func(string) []string { return nil }, // one flat directory
	})
	return singles(d.Read, d.Write, d.Erase, func() {}), nil
}
