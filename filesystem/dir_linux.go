//go:build linux && (amd64 || arm64) && !portable

package filesystem

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io/fs"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// These calls have no name in package syscall, or one name for each architecture.
var (
	sysFstatat   = map[string]uintptr{"amd64": 262, "arm64": 79}[runtime.GOARCH]
	sysRenameat2 = map[string]uintptr{"amd64": 316, "arm64": 276}[runtime.GOARCH]
)

// dir is the open directory. Names are relative to it, even if its path
// changes. This implementation makes system calls itself: package os takes
// twice as long to read a small file. dir_other.go has the same methods in the
// same order.
type dir struct {
	fd      int
	path    string // for errors
	kind    fsKind
	noLinks atomic.Bool // the file system has no hard links
}

// openDir opens a directory that exists.
func openDir(path string) (*dir, error) {
	fd, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &dir{fd: fd, path: path, kind: kindOf(fd)}, nil
}

// openDir opens a directory in d. It does not follow links.
func (d *dir) openDir(name string) (*dir, error) {
	f, err := d.openat(name, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, directoryError(err)
	}
	return &dir{fd: f.fd, path: d.path + "/" + name, kind: d.kind}, nil
}

// makeDir makes a directory in d with the permissions of d and, if this process may set
// it, the owner of d: all who can use d can use it.
func (d *dir) makeDir(name string) error {
	var want, got syscall.Stat_t
	if err := syscall.Fstat(d.fd, &want); err != nil {
		return d.fail("stat", ".", err)
	}
	if err := syscall.Mkdirat(d.fd, name, want.Mode&0o7777); err != nil {
		return d.fail("mkdir", name, err)
	}
	f, err := d.openat(name, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer f.close()
	if err := syscall.Fstat(f.fd, &got); err != nil {
		return d.fail("stat", name, err)
	}
	if got.Uid != want.Uid || got.Gid != want.Gid {
		syscall.Fchown(f.fd, int(want.Uid), int(want.Gid))
	}
	if got.Mode != want.Mode {
		syscall.Fchmod(f.fd, want.Mode&0o7777)
	}
	return nil
}

// fsKind is what has to be known about a file system.
type fsKind struct {
	// exchanges: replace exchanges two names. ext4 flushes a file when it is renamed
	// over another one; an exchange of the two names takes half as long there.
	exchanges bool
	// countsLinks: a directory that has been removed has no links. This is not so on
	// overlayfs and FUSE.
	countsLinks bool
}

func kindOf(fd int) fsKind {
	const ext4, tmpfs, xfs = 0xef53, 0x01021994, 0x58465342
	var stat syscall.Statfs_t
	if syscall.Fstatfs(fd, &stat) != nil {
		return fsKind{}
	}
	isExt4 := stat.Type == ext4
	return fsKind{exchanges: isExt4, countsLinks: isExt4 || stat.Type == tmpfs || stat.Type == xfs}
}

func (d *dir) close() { syscall.Close(d.fd) }

// removed reports whether the directory has been removed: it has no links or, where
// these are not reliable, it is no longer what its path leads to. Every miss asks this.
func (d *dir) removed() bool {
	var held, now syscall.Stat_t
	if syscall.Fstat(d.fd, &held) != nil {
		return true
	}
	if held.Nlink == 0 || d.kind.countsLinks {
		return held.Nlink == 0
	}
	if err := syscall.Stat(d.path, &now); err != nil {
		return isRemoved(err)
	}
	return held.Dev != now.Dev || held.Ino != now.Ino
}

// fail adds the operation and the path to err, and returns nil for nil.
func (d *dir) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: d.path + "/" + name, Err: err}
}

// open opens a file for reading. It does not follow links, and it does not wait
// for the writer of a pipe, for a device or for the holder of a file lease.
func (d *dir) open(name string) (file, error) {
	f, err := d.openat(name, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_, statErr := d.stat(name)
		err = openError(err, statErr)
	}
	return f, err
}

// create creates a file that must not exist.
func (d *dir) create(name string, mode fs.FileMode) (file, error) {
	f, err := d.openat(name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL, uint32(mode))
	return f, createError(err)
}

func (d *dir) openat(name string, flags int, mode uint32) (file, error) {
	path := pathOf(name)
	flags |= syscall.O_NOFOLLOW | syscall.O_CLOEXEC
	fd, err := retry(func() (int, error) {
		fd, _, errno := syscall.Syscall6(syscall.SYS_OPENAT, uintptr(d.fd), uintptr(unsafe.Pointer(&path)), uintptr(flags), uintptr(mode), 0, 0)
		return int(fd), errnoError(0, 0, errno)
	})
	return file{d, name, fd}, d.fail("open", name, err)
}

// fileInfo is what eviction has to know about a file.
type fileInfo struct {
	mtime time.Time
	bytes int64 // on the disk
}

// stat describes a regular file.
func (d *dir) stat(name string) (fileInfo, error) {
	const atSymlinkNoFollow = 0x100
	var stat syscall.Stat_t
	path := pathOf(name)
	err := errnoError(syscall.Syscall6(sysFstatat, uintptr(d.fd), uintptr(unsafe.Pointer(&path)), uintptr(unsafe.Pointer(&stat)), atSymlinkNoFollow, 0, 0))
	if err != nil {
		return fileInfo{}, d.fail("stat", name, err)
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fileInfo{}, errNotRegular
	}
	return fileInfo{time.Unix(stat.Mtim.Unix()), stat.Blocks * 512}, nil
}

// link gives the file called temp a second name, and fails with fs.ErrExist if that
// exists.
func (d *dir) link(temp, name string) error {
	return d.callWithNames(syscall.SYS_LINKAT, temp, name, 0)
}

// rename renames temp to name, and replaces the file called name if there is one.
func (d *dir) rename(temp, name string) error {
	return d.fail("rename", name, d.callWithNames(syscall.SYS_RENAMEAT, temp, name, 0))
}

// replace is rename for a name that exists.
func (d *dir) replace(temp, name string) error {
	const exchange = 2
	if !d.kind.exchanges || d.callWithNames(sysRenameat2, temp, name, exchange) != nil {
		return d.rename(temp, name)
	}
	if err := d.remove(temp); err == errNotRegular { // a foreign directory: restore its name
		d.callWithNames(sysRenameat2, temp, name, exchange)
		return d.fail("rename", name, syscall.EISDIR)
	}
	return nil
}

// callWithNames makes a system call that takes two names of the directory.
func (d *dir) callWithNames(call uintptr, from, to string, flags uintptr) error {
	p, q := pathOf(from), pathOf(to)
	return errnoError(syscall.Syscall6(call, uintptr(d.fd), uintptr(unsafe.Pointer(&p)), uintptr(d.fd), uintptr(unsafe.Pointer(&q)), flags, 0))
}

// pathOf returns name as system calls take it, with a NUL at the end. It is a value, so
// that calls need no memory of their own. Names of the directory have at most 255 bytes.
func pathOf(name string) (path [256]byte) {
	copy(path[:len(path)-1], name)
	return path
}

// remove removes a file that is not a directory.
func (d *dir) remove(name string) error {
	path := pathOf(name)
	err := errnoError(syscall.Syscall(syscall.SYS_UNLINKAT, uintptr(d.fd), uintptr(unsafe.Pointer(&path)), 0))
	if err == syscall.EISDIR {
		return errNotRegular
	}
	return d.fail("remove", name, err)
}

// names lists the directory, sorted by inode, but not many more than most names unless
// that is 0. In the order of the directory, which
// on ext4 is that of hashes, a stat of each of very many files takes twice as long.
func (d *dir) names(most int) ([]string, error) {
	f, err := d.openat(".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer f.close()
	buffer := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buffer)
	var all []dirent
	for most == 0 || len(all) < most {
		n, err := retry(func() (int, error) { return syscall.ReadDirent(f.fd, buffer[:]) })
		if err != nil {
			return nil, f.fail("list", err)
		}
		if n == 0 {
			break
		}
		all = appendDirents(all, buffer[:n])
	}
	slices.SortFunc(all, func(x, y dirent) int { return cmp.Compare(x.inode, y.inode) })
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].name
	}
	return names, nil
}

// dirent is one record of a directory.
type dirent struct {
	inode uint64
	name  string
}

// appendDirents parses the result of getdents64: records of inode, offset, length
// of the record, type, and the name up to a NUL. The names share one copy of the records,
// because a copy of each takes longer than all else.
func appendDirents(all []dirent, records []byte) []dirent {
	const nameAt = 19
	for text := string(records); len(records) > 0; {
		length := int(binary.NativeEndian.Uint16(records[16:]))
		name := text[nameAt:][:bytes.IndexByte(records[nameAt:length], 0)]
		if name != "." && name != ".." {
			all = append(all, dirent{binary.NativeEndian.Uint64(records), name})
		}
		records, text = records[length:], text[length:]
	}
	return all
}

// sync writes the names of the directory to the disk.
func (d *dir) sync() error { return d.fail("sync", ".", syscall.Fsync(d.fd)) }

// tryLock takes the lock on the directory unless another process has it.
func (d *dir) tryLock() (bool, error) {
	locked, err := tryFlock(d.fd)
	return locked, d.fail("lock", ".", err)
}

func (d *dir) unlock() { unFlock(d.fd) }

// file is an open file of dir.
type file struct {
	dir  *dir
	name string
	fd   int
}

func (f file) fail(op string, err error) error { return f.dir.fail(op, f.name, err) }

// readAt makes one system call. 0 bytes mean the end of the file; fewer than len(p)
// do not. Pipes, sockets and terminals have no offset, which costs no call to find.
func (f file) readAt(p []byte, offset int64) (int, error) {
	n, err := retry(func() (int, error) { return syscall.Pread(f.fd, p, offset) })
	return n, readError(f.fail("read", err))
}

// readParts reads the beginning of the file into head, then spare, then rest, by one
// system call. Fewer bytes than fit do not mean the end of the file.
func (f file) readParts(head, spare, rest []byte) (int, error) {
	var parts [3]syscall.Iovec
	count := 0
	for _, part := range [...][]byte{head, spare, rest} {
		if len(part) > 0 {
			parts[count].Base = unsafe.SliceData(part)
			parts[count].SetLen(len(part))
			count++
		}
	}
	n, err := retry(func() (int, error) {
		n, _, errno := syscall.Syscall6(syscall.SYS_PREADV, uintptr(f.fd), uintptr(unsafe.Pointer(&parts)), uintptr(count), 0, 0, 0)
		return int(n), errnoError(0, 0, errno)
	})
	return max(0, n), readError(f.fail("read", err))
}

// size returns the size of the file, and whether the disk holds less: a sparse file,
// or one that the file system compresses.
func (f file) size() (size int64, sparse bool, err error) {
	var stat syscall.Stat_t
	err = syscall.Fstat(f.fd, &stat)
	return stat.Size, stat.Blocks*512 < stat.Size, f.fail("stat", err)
}

func (f file) chmod(mode fs.FileMode) error {
	return f.fail("chmod", syscall.Fchmod(f.fd, uint32(mode)))
}

// write writes all of p.
func (f file) write(p []byte) error {
	for len(p) > 0 {
		n, err := retry(func() (int, error) { return syscall.Write(f.fd, p) })
		if err != nil {
			return f.fail("write", err)
		}
		p = p[n:]
	}
	return nil
}

// setTime sets the modification time. The access time is set to a later time, so
// that mounts with relatime do not write the inode at every read.
func (f file) setTime(mtime time.Time) error {
	ts := [2]syscall.Timespec{
		syscall.NsecToTimespec(mtime.Add(time.Second).UnixNano()),
		syscall.NsecToTimespec(mtime.UnixNano()),
	}
	return f.fail("utimes", errnoError(syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(f.fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)))
}

// sync writes the file to the disk.
func (f file) sync() error { return f.fail("sync", syscall.Fsync(f.fd)) }

func (f file) close() error { return f.fail("close", syscall.Close(f.fd)) }

// retry repeats a call that a signal has interrupted, which happens on network
// file systems.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func errnoError(_, _ uintptr, errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
