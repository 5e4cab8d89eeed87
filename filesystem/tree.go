package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cachebackends/cachebackends/core/driver"
)

// fanOut is the number of directories that hold the files. They keep the lock, a listing
// and an eviction of a million entries short. They are few, so that a small cache can be
// listed as a whole and every directory can stay open.
//
// A small cache has no fewer, except those that it has not used. All processes that share
// the directory have to find a key in the same place, but each has a threshold of its own,
// which may also be changed between two runs. A number that is stored in the directory
// would be that of the first process: a cache that grows later would have to move its
// files while others read and write them.
const fanOut = 64

// tree is the open directory with those of its fan-out directories that were used. The
// first use opens or creates one.
type tree struct {
	layout  *layout
	root    *dir
	sync    bool // see Options.Sync
	opening sync.Mutex
	slices  [fanOut]atomic.Pointer[slice] // nil until used
	usage   usage
}

// slice is an open fan-out directory. Its lock covers the files in it.
type slice struct {
	*dir
	tree   *tree
	index  int
	writer chan struct{} // holds one element while a goroutine of this Backend has the lock

	uncounted int // entries added that Flask's count file does not have yet; guarded by the lock
}

// sliceOf returns the number of the directory of a file: the first six bits of its name.
func sliceOf(fileName string) int {
	first, _ := strconv.ParseUint(fileName[:2], 16, 8)
	return int(first) * fanOut / 256
}

// sliceName returns the smallest first two digits of the names in a directory.
func sliceName(index int) string { return fmt.Sprintf("%02x", index*256/fanOut) }

// slice returns a fan-out directory. If create is set, it creates one that is absent.
func (t *tree) slice(index int, create bool) (*slice, error) {
	if s := t.slices[index].Load(); s != nil {
		return s, nil
	}
	t.opening.Lock()
	defer t.opening.Unlock()
	if s := t.slices[index].Load(); s != nil {
		return s, nil
	}
	d, err := t.openSlice(sliceName(index), create)
	if err != nil {
		return nil, err
	}
	s := &slice{dir: d, tree: t, index: index, writer: make(chan struct{}, 1)}
	t.slices[index].Store(s)
	return s, nil
}

func (t *tree) openSlice(name string, create bool) (*dir, error) {
	if t.layout.fanOut == 1 {
		return t.root, nil
	}
	d, err := t.root.openDir(name)
	if !create || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotDirectory) {
		return d, err
	}
	made := t.root.makeDir(name)
	if made != nil && (!errors.Is(made, fs.ErrExist) || errors.Is(err, errNotDirectory)) {
		return nil, createError(made)
	}
	if t.sync {
		if err := t.root.sync(); err != nil {
			return nil, err
		}
	}
	return t.root.openDir(name)
}

// removed reports whether the directory has been removed, or the fan-out directory that
// was open.
func (t *tree) removed(index int) bool {
	if s := t.slices[index].Load(); s != nil {
		return s.removed()
	}
	return t.root.removed()
}

func (t *tree) close() {
	for i := range t.slices {
		if s := t.slices[i].Load(); s != nil && s.dir != t.root {
			s.close()
		}
	}
	t.root.close()
}

// inSlice runs op with the fan-out directory of a file. A file or a directory that does not
// exist is no error.
func (b *Backend) inSlice(fileName string, op func(*slice) error) error {
	return b.inSliceAt(b.layout.sliceOf(fileName), op)
}

func (b *Backend) inSliceAt(index int, op func(*slice) error) error {
	return classify(ignoreNotExist(b.withSlice(index, false, op)))
}

// write runs op with a write of e. It creates the directories if they are absent.
func (b *Backend) write(e entry, op func(*writeTx) error) error {
	name := b.entryName(e.key)
	return classify(b.withSlice(b.layout.sliceOf(name), true, func(s *slice) error { return op(b.newWrite(s, name, e)) }))
}

// openTree opens the directory. If create is set, it creates one that is absent.
func (b *Backend) openTree(create bool) (*tree, error) {
	if create {
		if err := b.makeDirs(); err != nil {
			return nil, err
		}
	}
	root, err := openDir(b.options.Dir)
	if err != nil {
		return nil, err
	}
	return &tree{
		layout: b.layout,
		root:   root,
		sync:   b.options.Sync,
		usage:  usage{threshold: b.options.Threshold, fanOut: b.layout.fanOut, scanSize: defaultScanSize},
	}, nil
}

// makeDirs creates the directory and its parents where they are absent. With [Options.Sync]
// it flushes the names of those that it has created.
func (b *Backend) makeDirs() error {
	var parents []string // of the absent directories
	for path := b.options.Dir; b.options.Sync; path = filepath.Dir(path) {
		parent := filepath.Dir(path)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || parent == path {
			break
		}
		parents = append(parents, parent)
	}
	if err := os.MkdirAll(b.options.Dir, b.options.dirMode()); err != nil {
		return err
	}
	for _, path := range parents {
		d, err := openDir(path)
		if err != nil {
			return err
		}
		err = d.sync()
		d.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// withSlice runs op with a fan-out directory. If it has been removed meanwhile, withSlice
// opens the whole directory again and repeats op. The number of attempts is bounded,
// because a directory may be removed repeatedly.
func (b *Backend) withSlice(index int, create bool, op func(*slice) error) error {
	const most = 3
	for attempt := 1; ; attempt++ {
		t, removed, err := b.attempt(index, create, op)
		if !removed || attempt == most {
			return err
		}
		if err := b.reopen(t, create); err != nil {
			return err
		}
	}
}

// attempt runs op once, and reports whether it failed because the directory has been
// removed. A panic in op releases the read lock.
func (b *Backend) attempt(index int, create bool, op func(*slice) error) (t *tree, removed bool, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if t = b.tree; t == nil {
		return nil, false, driver.ErrClosed
	}
	if index == reserved {
		return t, false, errReservedKey
	}
	s, err := t.slice(index, create)
	if err == nil {
		err = op(s)
	}
	return t, errors.Is(err, errDirRemoved) || isRemoved(err) && t.removed(index), err
}

// reopen replaces the removed directory, unless another goroutine already has.
func (b *Backend) reopen(removed *tree, create bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tree != removed {
		return nil
	}
	t, err := b.openTree(create)
	if err != nil {
		return err
	}
	b.evictions.Wait()
	removed.close()
	b.tree = t
	return nil
}

// Close waits for the calls in progress; those which wait for the lock return
// [driver.ErrClosed]. Close always returns nil.
func (b *Backend) Close() error {
	b.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.evictions.Wait()
	if b.tree != nil {
		b.tree.close()
		b.tree = nil
	}
	return nil
}
