package flask

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
)

// ViewKey returns the key under which @cache.cached keeps the response of a view. path
// is that of the request, such as "/users/42". query is nil for a view that is cached
// without query_string=True, and the query otherwise, also if it is empty.
//
// It knows the defaults of Flask-Caching: key_prefix="view/%s", hash_method=md5, and
// source_check=False.
func ViewKey(path string, query url.Values) string {
	if query == nil {
		return "view/" + path
	}
	var pairs [][2]string
	for key, values := range query {
		for _, value := range values {
			pairs = append(pairs, [2]string{key, value})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	all := make(Tuple, len(pairs))
	for i, pair := range pairs {
		all[i] = Tuple{pair[0], pair[1]}
	}
	text, _ := repr(all) // strings have a repr
	sum := md5.Sum([]byte(text))
	return path + hex.EncodeToString(sum[:])
}

// ForgetView removes the cached response of a view, and reports whether there was one.
// The arguments are those of [ViewKey].
func ForgetView(ctx context.Context, c *cache.Cache, path string, query url.Values) (bool, error) {
	return c.Delete(ctx, ViewKey(path, query))
}

// Forget makes Flask-Caching forget all results of a function that is decorated with
// @cache.memoize, as cache.delete_memoized(function) does in Python. function is its
// module and qualified name: "app.models.get_user", "app.models.User.friends". It
// reports whether there was a version of the function to remove: without one, no
// result is stored.
func Forget(ctx context.Context, c *cache.Cache, function string) (bool, error) {
	return c.Delete(ctx, VersionKey(function))
}

// VersionKey returns the key under which Flask-Caching keeps the version of a memoized
// function. The version is part of the key of each of its results.
func VersionKey(function string) string { return namespace(function) + "_memver" }

// MemoKey returns the key under which the result of a memoized function is stored for
// arguments of plain types, in the order of its parameters: None, bool, int, float,
// str, bytes, list, tuple, date, Decimal and UUID as the Go types that [Unmarshal]
// returns for them. A parameter with a default has it as its argument, unless the
// default is false in Python (0, "", an empty list): then the argument is nil.
// Parameters that are only keywords, and the self of methods, are not supported.
//
// It reads the version of the function from c, which has been opened with CACHE_FLASK or
// has [Codec] as its codec. If there is none, no result is stored, and ok is false.
func MemoKey(ctx context.Context, c *cache.Cache, function string, args ...any) (key string, ok bool, err error) {
	arguments, err := repr(Tuple(args))
	if err != nil {
		return "", false, fmt.Errorf("flask: key of %s: %w", function, err)
	}
	version, ok, err := cache.Of[string](c).Get(ctx, VersionKey(function))
	if !ok || err != nil {
		return "", false, err
	}
	if len(version) != versionLength {
		return "", false, fmt.Errorf("flask: version of %s: %w: not a version of Flask-Caching: is CACHE_FLASK set?", function, cache.ErrCorrupt)
	}
	sum := md5.Sum([]byte(namespace(function) + arguments + "OrderedDict()"))
	return base64.StdEncoding.EncodeToString(sum[:])[:16] + version, true, nil
}

// versionLength is that of Flask-Caching's memvname.
const versionLength = 6

// namespace removes what Flask-Caching removes from the names of functions: every
// character below U+0100 but ASCII letters, digits, "_" and ".".
func namespace(function string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '.', r > 0xff:
			return r
		}
		return -1
	}, function)
}
