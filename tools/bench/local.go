package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/cachebackends/cachebackends/simple"
)

// simpleRemote and filesystemRemote measure as if in a server what needs none,
// through the methods of Cache. The address of the latter is a directory of its own.
func simpleRemote() remote {
	return remote{"simple", "", startNothing, []remotePeer{
		{"simple", "nothing: the methods of Cache", 0, true, func(string) (remoteStore, error) {
			return storeOfCache(simple.New(context.Background(), simple.Options{Threshold: simple.NoLimit}))
		}},
		{"raw", "expiry, a bound: a map, its lock, a copy of the bytes; batches: a loop", 0, true, openRawMap},
	}}
}

func filesystemRemote(dir string) remote {
	start := func() (addr string, stop func(), err error) {
		addr, err = os.MkdirTemp(dir, "bench")
		return addr, func() { os.RemoveAll(addr) }, err
	}
	return remote{"filesystem", "", start, []remotePeer{
		{"filesystem", "nothing: the methods of Cache", 0, true, func(addr string) (remoteStore, error) {
			return storeOfCache(filesystem.New(context.Background(), filesystem.Options{Dir: filepath.Join(addr, "ours"), Threshold: filesystem.NoLimit}))
		}},
		{"raw", "expiry, a checksum: os.ReadFile; os.WriteFile and os.Rename; batches: a loop", 0, true, openRawFiles},
	}}
}

// openRawMap is simple without all that makes it a cache.
func openRawMap(string) (remoteStore, error) {
	var mu sync.RWMutex
	kept := map[string][]byte{}
	get := func(key string) ([]byte, error) {
		mu.RLock()
		value, ok := kept[key]
		mu.RUnlock()
		return bytes.Clone(value), miss(ok, nil)
	}
	set := func(key string, value []byte) error {
		value = bytes.Clone(value)
		mu.Lock()
		kept[key] = value
		mu.Unlock()
		return nil
	}
	remove := func(key string) error {
		mu.Lock()
		delete(kept, key)
		mu.Unlock()
		return nil
	}
	return storeOfSingles(get, set, remove, func() {}), nil
}

func openRawFiles(addr string) (remoteStore, error) {
	dir := filepath.Join(addr, "raw")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return remoteStore{}, err
	}
	s, err := openRaw(dir)
	remove := func(key string) error { return os.Remove(filepath.Join(dir, key)) }
	return storeOfSingles(s.get, s.set, remove, func() {}), err
}
