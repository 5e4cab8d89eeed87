package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/cachebackends/cachebackends/core/driver"
)

var (
	errNotRegular  = corrupt("not a regular file")
	errWrongLength = corrupt("wrong length")
)

func corrupt(why string) error { return fmt.Errorf("%w: %s", driver.ErrCorrupt, why) }

// classify wraps an error of the file system in the sentinel error that a
// program matches.
func classify(err error) error {
	var errno syscall.Errno
	switch {
	case !errors.As(err, &errno):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", driver.ErrFull, err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", driver.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
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
