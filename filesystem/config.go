package filesystem

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
)

func init() { cache.Register("filesystem", open) }

func open(ctx context.Context, s *cache.Settings) (cache.Backend, error) {
	o := Options{
		Dir:        s.String("CACHE_DIR", ""),
		Threshold:  threshold(s),
		HashMethod: hashMethod(s),
		Mode:       mode(s.Options()),
		Sync:       s.Options().Bool("sync", false),
	}
	if o.Dir == "" {
		s.Fail("CACHE_DIR", "required by the filesystem backend")
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	b, err := New(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("CACHE_DIR: %w", err)
	}
	return b, nil
}

// threshold reads CACHE_THRESHOLD, where 0 means no limit.
func threshold(s *cache.Settings) int {
	const key = "CACHE_THRESHOLD"
	n := s.Int(key, DefaultThreshold)
	if n < 0 {
		s.Fail(key, "%q is negative (0 means no limit)", strconv.Itoa(n))
	}
	if n == 0 {
		return NoLimit
	}
	return n
}

func hashMethod(s *cache.Settings) string {
	const key = "CACHE_FILE_HASH_METHOD"
	name := strings.ToLower(s.String(key, "sha256"))
	if hashMethods[name] == nil {
		s.Fail(key, "%q is not one of md5, sha1, sha256, sha512", name)
	}
	return name
}

// mode reads permissions. Text is octal, as in "0600"; a number is the number
// itself, such as 384, which is what Python makes of 0o600.
func mode(s *cache.Settings) fs.FileMode {
	const key = "mode"
	m := defaultMode
	switch v := s.Value(key).(type) {
	case nil:
	case fs.FileMode:
		m = v
	case string:
		n, _ := strconv.ParseUint(v, 8, 32)
		m = fs.FileMode(n)
	default:
		m = fs.FileMode(s.Int(key, 0))
	}
	if !usable(m) {
		s.Fail(key, "%q must be permissions that let the owner read and write, such as %q", s.String(key, ""), "0600")
	}
	return m
}
