package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/cachebackends/cachebackends/core/driver"
)

var (
	errNotRegular   = corrupt("not a regular file")
	errNotDirectory = corrupt("a foreign file in place of the fan-out directory: remove it")
	errWrongLength  = corrupt("wrong length")
	errOtherKey     = corrupt("entry of another key")
	errNoKeys       = fmt.Errorf("%w: the files of Flask do not contain their keys", errors.ErrUnsupported)
	errChecksum     = corrupt("wrong checksum")

	// errDirRemoved means that the open directory does not exist any more.
	errDirRemoved = errors.New("the directory has been removed")

	errTempRemoved = fmt.Errorf("%w: the temporary file was removed several times: are the clocks of all hosts right?", driver.ErrUnavailable)
)

func corrupt(why string) error { return fmt.Errorf("%w: %s", driver.ErrCorrupt, why) }

// classify wraps an error of the file system in the sentinel error that a
// program matches.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	switch {
	case errors.Is(err, driver.ErrCorrupt), !errors.As(err, &errno):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", driver.ErrFull, err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", driver.ErrTooLarge, err)
	case isHeld(err):
		return fmt.Errorf("the file cannot be replaced or removed: %w", err)
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}

// isHeld reports whether the operation failed because of the one file that it would
// replace or remove: it is immutable, it belongs to another user in a sticky
// directory, it is a directory, or another program has it open on Windows. The other
// files are not affected, hence this is not ErrUnavailable, which ends a batch.
func isHeld(err error) bool {
	var path *fs.PathError
	if !errors.As(err, &path) || path.Op != "rename" && path.Op != "remove" && !errors.Is(path.Err, syscall.EEXIST) {
		return false
	}
	errno, ok := path.Err.(syscall.Errno)
	if !ok || errno == syscall.EACCES { // EACCES: the directory is not writable
		return false
	}
	return slices.Contains(heldErrors, errno) || errors.Is(errno, fs.ErrPermission)
}

var heldErrors = []syscall.Errno{
	syscall.EISDIR, syscall.ENOTEMPTY, syscall.EEXIST, syscall.EBUSY,
	32, // ERROR_SHARING_VIOLATION of Windows; EPIPE, which files do not have, elsewhere
}

// directoryError returns the error of opening a fan-out directory.
func directoryError(err error) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return errNotDirectory
	}
	return err
}

// isRemoved reports whether err means that the directory does not exist: ESTALE is
// what network file systems say of one that another host has removed.
func isRemoved(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.ENOTDIR)
}

// createError returns the error of creating a new file: only a directory that has
// been removed has no place for one.
func createError(err error) error {
	if err != nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errDirRemoved, err)
	}
	return err
}

// openError returns the error of opening a file that exists. statErr is what a stat
// of the file returned. A file that only this process cannot read is an absent entry,
// as a damaged one is.
func openError(err, statErr error) error {
	switch {
	case errors.Is(statErr, errNotRegular):
		return errNotRegular
	case statErr != nil:
		return err
	case errors.Is(err, syscall.EOVERFLOW): // on 32 bits
		return errWrongLength
	case errors.Is(err, syscall.EAGAIN):
		return corrupt("another program holds a file lease (fcntl)")
	case errors.Is(err, fs.ErrPermission), isMediaError(err):
		return unreadable(err)
	}
	return err
}

// readError returns the error of reading an open file.
func readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ESPIPE), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINVAL):
		return errNotRegular
	case isMediaError(err):
		return unreadable(err)
	}
	return err
}

func unreadable(err error) error { return fmt.Errorf("%w: %w", driver.ErrCorrupt, err) }

// isMediaError reports whether the disk has lost the content of a file.
func isMediaError(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EBADMSG)
}

// hasNoLinks reports whether err, of making a hard link, means that the file system
// has none.
func hasNoLinks(err error) bool {
	const invalidFunction = syscall.Errno(1) // of Windows; EPERM elsewhere
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) || errors.Is(err, invalidFunction) ||
		errors.Is(err, syscall.EMLINK) || errors.Is(err, syscall.EINVAL)
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func ignoreCorrupt(err error) error {
	if errors.Is(err, driver.ErrCorrupt) {
		return nil
	}
	return err
}
