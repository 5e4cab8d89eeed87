//go:build !linux || !(amd64 || arm64) || portable

package filesystem

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// dir is the open directory. Names are relative to it, even if its path
// changes. This implementation uses [os.Root]. dir_linux.go has the same methods
// in the same order; comments that would repeat its comments are left out.
type dir struct {
	root *os.Root
	self *os.File // the directory as a file, for the lock
	path string   // for errors

	noLinks atomic.Bool // the file system has no hard links
}

func openDir(path string) (*dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return newDir(root, path)
}

func newDir(root *os.Root, path string) (*dir, error) {
	self, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &dir{root: root, self: self, path: path}, nil
}

// openDir opens a directory in d. It does not follow links, except one that replaces the
// directory between the two calls; such a link leads to a directory in d.
func (d *dir) openDir(name string) (*dir, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	if !info.IsDir() {
		return nil, errNotDirectory
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, directoryError(d.fail("open", name, err))
	}
	return newDir(root, filepath.Join(d.path, name))
}

func (d *dir) makeDir(name string) error {
	want, err := d.self.Stat()
	if err != nil {
		return d.fail("stat", ".", err)
	}
	if err := d.root.Mkdir(name, want.Mode().Perm()); err != nil {
		return d.fail("mkdir", name, err)
	}
	inheritOwner(d.root, name, want)
	if got, err := d.root.Lstat(name); err == nil && got.Mode() != want.Mode() {
		d.root.Chmod(name, want.Mode())
	}
	return nil
}

func (d *dir) close() {
	d.self.Close()
	d.root.Close()
}

// removed reports whether the directory is no longer what its path leads to.
func (d *dir) removed() bool {
	held, err := d.self.Stat()
	if err != nil {
		return true
	}
	now, err := os.Stat(d.path)
	if err != nil {
		return isRemoved(err)
	}
	return !os.SameFile(held, now)
}

// fail adds the operation and the whole path to err, and returns nil for nil.
// The errors of os.Root have the name without the directory.
func (d *dir) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		err = errno
	}
	return &fs.PathError{Op: op, Path: filepath.Join(d.path, name), Err: err}
}

// open opens a file for reading. It does not follow links, except one that
// replaces the file between the two calls; such a link leads to a file of this
// directory, which has another key.
func (d *dir) open(name string) (file, error) {
	if _, err := d.stat(name); err != nil {
		return file{}, err
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, d.fail("open", name, err)
	}
	if err != nil {
		return file{}, openError(d.fail("open", name, err), nil)
	}
	opened, err := f.Stat()
	if err != nil {
		f.Close()
		return file{}, d.fail("stat", name, err)
	}
	if !opened.Mode().IsRegular() {
		f.Close()
		return file{}, errNotRegular
	}
	return file{d, name, f}, nil
}

func (d *dir) create(name string, mode fs.FileMode) (file, error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	return file{d, name, f}, createError(d.fail("open", name, err))
}

type fileInfo struct {
	mtime time.Time
	bytes int64
}

func (d *dir) stat(name string) (fileInfo, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return fileInfo{}, d.fail("stat", name, err)
	}
	if !info.Mode().IsRegular() {
		return fileInfo{}, errNotRegular
	}
	return fileInfo{info.ModTime(), info.Size()}, nil
}

func (d *dir) link(temp, name string) error { return d.root.Link(temp, name) }

func (d *dir) rename(temp, name string) error {
	return d.fail("rename", name, d.root.Rename(temp, name))
}

func (d *dir) replace(temp, name string) error { return d.rename(temp, name) }

func (d *dir) remove(name string) error {
	info, err := d.root.Lstat(name)
	if err == nil && info.IsDir() {
		return errNotRegular
	}
	return d.fail("remove", name, d.root.Remove(name))
}

func (d *dir) names(most int) ([]string, error) {
	list, err := d.root.Open(".")
	if err != nil {
		return nil, d.fail("open", ".", err)
	}
	defer list.Close()
	names, err := list.Readdirnames(cmp.Or(most, -1))
	if err == io.EOF { // of an empty directory, if most is not 0
		err = nil
	}
	return names, d.fail("list", ".", err)
}

func (d *dir) sync() error { return d.fail("sync", ".", d.self.Sync()) }

func (d *dir) tryLock() (bool, error) {
	locked, err := tryFlock(int(d.self.Fd()))
	return locked, d.fail("lock", ".", err)
}

func (d *dir) unlock() { unFlock(int(d.self.Fd())) }

type file struct {
	dir  *dir
	name string
	file *os.File
}

func (f file) fail(op string, err error) error { return f.dir.fail(op, f.name, err) }

func (f file) readAt(p []byte, offset int64) (int, error) {
	n, err := f.file.ReadAt(p, offset)
	if err == io.EOF {
		err = nil
	}
	return n, readError(f.fail("read", err))
}

func (f file) readParts(head, spare, rest []byte) (total int, err error) {
	for _, part := range [][]byte{head, spare, rest} {
		n, err := f.readAt(part, int64(total))
		if total += n; n < len(part) || err != nil {
			return total, err
		}
	}
	return total, nil
}

// size returns the size of the file, and whether the disk may hold less, which this
// implementation cannot find out: it suspects every large file.
func (f file) size() (size int64, sparse bool, err error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, false, f.fail("stat", err)
	}
	return info.Size(), info.Size() > 64<<20, nil
}

func (f file) chmod(mode fs.FileMode) error { return f.fail("chmod", f.file.Chmod(mode)) }

func (f file) write(p []byte) error {
	_, err := f.file.Write(p)
	return f.fail("write", err)
}

// setTime is no error if a Clear has removed the file.
func (f file) setTime(mtime time.Time) error {
	return f.fail("utimes", ignoreNotExist(f.dir.root.Chtimes(f.name, mtime.Add(time.Second), mtime)))
}

func (f file) sync() error { return f.fail("sync", f.file.Sync()) }

func (f file) close() error { return f.fail("close", f.file.Close()) }
