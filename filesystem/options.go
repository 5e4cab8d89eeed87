package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// NoLimit as [Options.Threshold] turns eviction off. Expired entries are still
// removed when the directory is scanned.
const NoLimit = -1

// Options configures a [Backend]. Only Dir is required.
type Options struct {
	// Dir is the directory of the entries. It is created if it does not exist,
	// and again if it is removed later. New makes a relative path absolute.
	Dir string `setting:"CACHE_DIR" required:"true" help:"directory of the entries"`

	// Threshold is the maximum number of entries. 0 means 500, the default of
	// Flask-Caching; [NoLimit] turns eviction off.
	Threshold int `setting:"CACHE_THRESHOLD" default:"500" min:"-1"`

	// HashMethod turns keys into file names: "sha256", which is the default,
	// "md5", the default with Flask, "sha1" or "sha512", in any case. Processes that share a directory
	// must use the same method.
	HashMethod string `setting:"CACHE_FILE_HASH_METHOD" default:"sha256" help:"how keys become file names: sha256, sha512, sha1 or md5"`

	// Mode is the permissions of the files, independent of the umask; 0 means
	// 0600. If New creates the directory, it gets the same permissions, less the
	// umask, and execute permission for everyone with read permission: 0700 by
	// default. The directories in it get its permissions.
	Mode Mode `option:"mode" default:"0600" help:"permissions of the files: octal text, or a number"`

	// Flask keeps keys, values and files as Flask-Caching does, in the layout of
	// cachelib's FileSystemCache. The package comment says what that costs.
	Flask bool `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"`

	// Sync flushes every write to the disk before it returns, for entries that
	// must survive a power failure. Writes then take about 14 times as long.
	// Without it a power failure may lose the latest writes; it does not corrupt
	// values unnoticed.
	Sync bool `option:"sync" default:"false" help:"flush every write to the disk"`

	// LockTimeout limits how long a write waits for the lock of a fan-out directory
	// while others hold it. It then returns [driver.ErrUnavailable]. 0 means 5 seconds.
	LockTimeout time.Duration `option:"lock_timeout" default:"5s" min:"1ms" help:"wait for the lock of a directory"`
}

// Validate implements [driver.Validator].
func (o Options) Validate(p *driver.Problems) {
	if why := suspicion(o.Dir); why != "" {
		p.Add("Dir", "%q %s", o.Dir, why)
	}
	if o.HashMethod != "" && o.hashMethod() == nil {
		p.Add("HashMethod", "%q is not md5, sha1, sha256 or sha512", o.HashMethod)
	}
	if o.Mode != 0 && !o.Mode.usable() {
		p.Add("Mode", "%v is %w", o.Mode, errMode)
	}
}

// suspicion returns why dir is not meant as it stands. Such a directory would be created,
// often in the working directory, and each program would have its own.
func suspicion(dir string) string {
	switch {
	case strings.Trim(dir, `"'`) != dir:
		return "begins or ends with a quote"
	case strings.Contains(dir, "://"):
		return "is a URL, not a path"
	case dir == "~", strings.HasPrefix(dir, "~/"), strings.HasPrefix(dir, "$"), strings.Contains(dir, "${"):
		return "is not expanded: only a shell replaces ~ and variables"
	}
	return ""
}

func (o Options) hashMethod() func(key []byte) fileName {
	return hashMethods[strings.ToLower(o.HashMethod)]
}

// dirMode adds the execute permission to every read permission.
func (o Options) dirMode() fs.FileMode { return fs.FileMode(o.Mode | o.Mode&0o444>>2) }

// Mode is the permissions of a file.
type Mode fs.FileMode

var errMode = errors.New(`not permissions that let the owner read and write, such as "0600"`)

// String returns the permissions in octal digits.
func (m Mode) String() string { return fmt.Sprintf("%#o", uint32(m)) }

// UnmarshalSetting implements [driver.Unmarshaler]. Text is octal, as in "0600"; a
// number is the number itself, such as 384, which is what Python makes of 0o600.
func (m *Mode) UnmarshalSetting(value any) error {
	var n uint64
	var err error
	switch v := value.(type) {
	case Mode:
		n = uint64(v)
	case fs.FileMode:
		n = uint64(v)
	case string:
		n, err = strconv.ParseUint(strings.TrimPrefix(v, "0o"), 8, 32)
	default:
		n, err = strconv.ParseUint(fmt.Sprint(v), 10, 32)
	}
	if *m = Mode(n); err != nil || !m.usable() {
		return errMode
	}
	return nil
}

// usable reports whether m is permissions that let the owner read and write.
func (m Mode) usable() bool { return m&^Mode(fs.ModePerm) == 0 && m&0o600 == 0o600 }
