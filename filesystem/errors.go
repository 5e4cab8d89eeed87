package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	cache "github.com/cachebackends/cachebackends/core"
)

var (
	// errNotRegular is a link, a directory or the like under one of our names.
	errNotRegular = corrupt("not a regular file")
	errCut        = corrupt("cut short or overlong")
)

func corrupt(why string) error { return fmt.Errorf("%w: %s", cache.ErrCorrupt, why) }

// fault wraps what the file system said in what it means to a cache.
func fault(err error) error {
	var errno syscall.Errno
	switch {
	case !errors.As(err, &errno):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", cache.ErrFull, err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", cache.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
}

func ignoreAbsence(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func ignoreDamage(err error) error {
	if errors.Is(err, cache.ErrCorrupt) {
		return nil
	}
	return err
}
