//go:build !linux || !(amd64 || arm64) || portable

package filesystem

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// dir is the directory, held open as an [os.Root]: names are looked up in it,
// whatever becomes of its path.
type dir struct {
	root *os.Root
	self *os.File // the directory as a file, to be locked
}

// openDir opens a directory that exists.
func openDir(path string) (*dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	self, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &dir{root, self}, nil
}

func (d *dir) close() {
	d.self.Close()
	d.root.Close()
}

// lost reports whether the directory has been removed.
func (d *dir) lost() bool {
	held, err := d.self.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(d.root.Name())
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(held, there)
}

// open opens a file for reading. Links are not followed: what was opened must be
// what has the name.
func (d *dir) open(name string) (file, error) {
	named, err := d.root.Lstat(name)
	if err != nil {
		return file{}, err
	}
	if !named.Mode().IsRegular() {
		return file{}, errNotRegular
	}
	f, err := d.root.Open(name)
	if err != nil {
		return file{}, err
	}
	opened, err := f.Stat()
	if err == nil && !opened.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
	}
	return file{f, d, name}, err
}

// create makes a file that must not exist.
func (d *dir) create(name string, mode fs.FileMode) (file, error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	return file{f, d, name}, err
}

// mtime returns the modification time of a regular file.
func (d *dir) mtime(name string) (time.Time, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return time.Time{}, err
	}
	if !info.Mode().IsRegular() {
		return time.Time{}, errNotRegular
	}
	return info.ModTime(), nil
}

// link gives the file temp the further name, which must be free.
func (d *dir) link(temp, name string) error { return d.root.Link(temp, name) }

// rename puts temp under name, in place of the file that may be there.
func (d *dir) rename(temp, name string) error { return d.root.Rename(temp, name) }

// replace is rename where there is a file under name.
func (d *dir) replace(temp, name string) error { return d.rename(temp, name) }

// remove removes a file, and nothing but a file.
func (d *dir) remove(name string) error {
	info, err := d.root.Lstat(name)
	if err == nil && info.IsDir() {
		return errNotRegular
	}
	return d.root.Remove(name)
}

// names lists the directory.
func (d *dir) names() ([]string, error) {
	list, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer list.Close()
	return list.Readdirnames(-1)
}

// sync makes the names of the directory reach the disk.
func (d *dir) sync() error { return d.self.Sync() }

func (d *dir) tryLock() (bool, error) {
	locked, err := tryFlock(int(d.self.Fd()))
	if err != nil {
		err = &fs.PathError{Op: "lock", Path: d.root.Name(), Err: err}
	}
	return locked, err
}

func (d *dir) unlock() { unFlock(int(d.self.Fd())) }

// file is an open file of dir.
type file struct {
	*os.File
	dir  *dir
	name string
}

// read is one call of the system: 0 means the end, less than len(p) need not.
func (f file) read(p []byte) (int, error) {
	n, err := f.Read(p)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (f file) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f file) chmod(mode fs.FileMode) error { return f.Chmod(mode) }

func (f file) write(p []byte) error {
	_, err := f.Write(p)
	return err
}

// finish ends writing, but does not close f.
func (f file) finish(mtime time.Time, sync bool) error {
	err := ignoreAbsence(f.dir.root.Chtimes(f.name, mtime.Add(time.Second), mtime)) // a Clear may have taken the name
	if err == nil && sync {
		err = f.Sync()
	}
	return err
}

func (f file) close() error { return f.Close() }
