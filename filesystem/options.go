package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

const (
	// DefaultThreshold is the default of Flask-Caching.
	DefaultThreshold = 500
	// NoLimit as [Options.Threshold] turns eviction off. Expired entries are
	// still removed when the directory is scanned.
	NoLimit = -1

	defaultMode fs.FileMode = 0o600
)

// Options configures a [Backend]. Only Dir is required.
type Options struct {
	// Dir is the directory of the entries. It is created if it does not exist,
	// and again if it is removed later. A relative path is resolved by New.
	Dir string

	// Threshold is the maximum number of entries: 0 means [DefaultThreshold],
	// [NoLimit] turns eviction off.
	Threshold int

	// Mode is the permissions of the files, independent of the umask; 0 means
	// 0600. If New creates the directory, it gets the same permissions, less the
	// umask, and execute permission for everyone with read permission: 0700 by
	// default.
	Mode fs.FileMode

	// HashMethod turns keys into file names: "sha256", which is the default,
	// "md5", "sha1" or "sha512". Processes that share a directory must use the
	// same method.
	HashMethod string

	// Sync flushes every write to the disk before it returns, for entries that
	// must survive a power failure. Writes then take about 14 times as long.
	// Without it a power failure may lose the latest writes; it does not corrupt
	// values unnoticed.
	Sync bool
}

// resolved returns o with defaults in place of zero values.
func (o Options) resolved() (Options, error) {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("Dir is required"))
	}
	if o.Threshold == 0 {
		o.Threshold = DefaultThreshold
	}
	if o.Threshold < NoLimit {
		errs = append(errs, fmt.Errorf("Threshold %d is negative", o.Threshold))
	}
	if o.Mode == 0 {
		o.Mode = defaultMode
	}
	if !usable(o.Mode) {
		errs = append(errs, fmt.Errorf("Mode %#o must be permissions that let the owner read and write", uint32(o.Mode)))
	}
	if o.HashMethod == "" {
		o.HashMethod = "sha256"
	}
	if hashMethods[o.HashMethod] == nil {
		errs = append(errs, fmt.Errorf("HashMethod %q is not one of md5, sha1, sha256, sha512", o.HashMethod))
	}
	if len(errs) > 0 {
		return o, errors.Join(errs...)
	}
	dir, err := filepath.Abs(o.Dir)
	o.Dir = dir
	return o, err
}

// usable reports whether m is permissions that let the owner read and write.
func usable(m fs.FileMode) bool { return m&^fs.ModePerm == 0 && m&0o600 == 0o600 }

// dirMode adds the execute permission to every read permission.
func (o Options) dirMode() fs.FileMode { return o.Mode | o.Mode&0o444>>2 }
