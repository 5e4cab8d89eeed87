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
	return Kind{Start: start, Peers: []Peer{
		{Name: "filesystem", Lacks: "nothing: the key is compared, the checksum and the expiry are checked", Ours: true, open: func(addr string) (store, error) {
			return through(filesystem.New(ctx, filesystem.Options{Dir: filepath.Join(addr, "ours"), Threshold: threshold}))
		}},
		{Name: "raw", Lacks: "expiry, a bound, a checksum: os.ReadFile; os.WriteFile to a temporary name and os.Rename", open: openRawFiles},
		{Name: "diskv", Lacks: "expiry, a bound, a checksum; parallel writes; its cache in memory is off", open: openDiskv},
	}}
}

// Directory are Files with as many entries as there may be.
func Directory(dir string, entries int) Kind {
	k := Files(dir, entries)
	k.Peers = k.Peers[:2]
	return k
}

func openRawFiles(addr string) (store, error) {
	dir := filepath.Join(addr, "raw")
	temp := filepath.Join(addr, "raw.temp")
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
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		names, err := d.Readdirnames(-1)
		for _, name := range names {
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
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
	return singles(d.Read, d.Write, d.Erase, func() {}), nil
}
