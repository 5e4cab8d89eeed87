package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// NoLimit as [Options.Threshold] lets the directory grow without bound.
// Expired entries are still removed, now and then.
const NoLimit = -1

const defaultMode fs.FileMode = 0o600

// Options configures a [Backend]. Only Dir is required.
type Options struct {
	// Dir is the directory of the entries. It is made where it does not exist,
	// and again if it is removed later. A relative path is resolved once.
	Dir string

	// Threshold is the number of entries to keep; 0 means 500, as in
	// Flask-Caching. See the package comment for what happens beyond it.
	Threshold int

	// Mode holds the permissions of the files, whatever the umask; 0 means 0600.
	// A directory that has to be made gets the same, less the umask, and may be
	// searched by whoever may read: 0700 by default.
	Mode fs.FileMode

	// HashMethod makes file names of keys: "sha256", which is the default, "md5",
	// "sha1" or "sha512". Programs that share entries have to agree on it.
	HashMethod string

	// Sync makes every write reach the disk before it returns, for entries that
	// are dear. It costs 14 times as much; without it a power failure may lose
	// the latest writes, but never makes a wrong value of them.
	Sync bool
}

// resolved returns o with its defaults in place of zeros.
func (o Options) resolved() (Options, error) {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("the directory is not given"))
	}
	if o.Threshold == 0 {
		o.Threshold = 500
	}
	if o.Threshold < NoLimit {
		errs = append(errs, fmt.Errorf("threshold %d is negative", o.Threshold))
	}
	if o.Mode == 0 {
		o.Mode = defaultMode
	}
	if !usable(o.Mode) {
		errs = append(errs, fmt.Errorf("mode %#o is not a file mode that lets the owner read and write", uint32(o.Mode)))
	}
	if o.HashMethod == "" {
		o.HashMethod = "sha256"
	}
	if hashMethods[o.HashMethod] == nil {
		errs = append(errs, fmt.Errorf("hash method %q is none of md5, sha1, sha256, sha512", o.HashMethod))
	}
	if len(errs) > 0 {
		return o, errors.Join(errs...)
	}
	dir, err := filepath.Abs(o.Dir)
	o.Dir = dir
	return o, err
}

// usable reports whether we could read and write files of mode m ourselves.
func usable(m fs.FileMode) bool { return m&^fs.ModePerm == 0 && m&0o600 == 0o600 }

// dirMode lets those search the directory who may read its files.
func (o Options) dirMode() fs.FileMode { return o.Mode | o.Mode&0o444>>2 }
