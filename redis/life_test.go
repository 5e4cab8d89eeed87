package redis

import (
	"cmp"
	"errors"
	"fmt"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// lifeFake replies to PTTL, GET and PTTL for the key "k". Other keys are absent.
func lifeFake(t *testing.T, before, get, after string) *fake {
	t.Helper()
	pttls := 0
	return startFake(t, func(_ int, args []string) string {
		switch {
		case args[0] == "get" && args[1] == "k":
			return get
		case args[0] == "get":
			return "$-1\r\n"
		case args[0] == "pttl" && args[1] != "k":
			return ":-2\r\n"
		case args[0] == "pttl":
			pttls++
			if pttls%2 == 1 {
				return before
			}
			return after
		}
		return ""
	})
}

// Whatever another program did between the three commands, the TTL is not longer than
// that of the entry whose value was read.
func TestGetWithTTL(t *testing.T) {
	const hit, miss, forever = "$1\r\nv\r\n", "$-1\r\n", time.Duration(0)
	for name, tt := range map[string]struct {
		before, get, after string
		want               time.Duration // upper bound of the TTL; negative for a miss
		err                error
	}{
		"expires":                 {":9000\r\n", hit, ":9000\r\n", 9 * time.Second, nil},
		"never expires":           {":-1\r\n", hit, ":-1\r\n", forever, nil},
		"expires now":             {":0\r\n", hit, ":0\r\n", 1, nil},
		"endless for PTTL":        {":9223372036854775807\r\n", hit, ":-1\r\n", forever, nil},
		"long":                    {":9223372036854775000\r\n", hit, ":9223372036854775000\r\n", 9223372036854 * time.Millisecond, nil},
		"overwritten by shorter":  {":9000\r\n", hit, ":5000\r\n", 5 * time.Second, nil},
		"overwritten by longer":   {":5000\r\n", hit, ":9000\r\n", 5 * time.Second, nil},
		"overwritten by endless":  {":5000\r\n", hit, ":-1\r\n", 5 * time.Second, nil},
		"overwrites an endless":   {":-1\r\n", hit, ":5000\r\n", 5 * time.Second, nil},
		"removed meanwhile":       {":5000\r\n", hit, ":-2\r\n", -1, nil},
		"removed before":          {":5000\r\n", miss, ":-2\r\n", -1, nil},
		"stored meanwhile":        {":-2\r\n", hit, ":5000\r\n", -1, nil},
		"absent":                  {":-2\r\n", miss, ":-2\r\n", -1, nil},
		"another type":            {":-1\r\n", "-WRONGTYPE Operation against a key\r\n", ":-1\r\n", -1, cache.ErrCorrupt},
		"no permission for PTTL":  {noPTTL, hit, noPTTL, -1, errors.ErrUnsupported},
		"no permission for GET":   {":1\r\n", "-NOPERM this user has no permissions to run the 'get' command\r\n", ":1\r\n", -1, cache.ErrAuth},
		"a null in place of PTTL": {"$-1\r\n", hit, ":1\r\n", -1, cache.ErrUnavailable},
		"LOADING":                 {loading, loading, loading, -1, cache.ErrUnavailable},
	} {
		for _, shared := range []int{0, -1} {
			b := start(t, Options{Addr: lifeFake(t, tt.before, tt.get, tt.after).addr})
			b.pipeline.MaxAlone = shared
			begin := time.Now()
			value, ttl, ok, err := b.GetWithTTL(t.Context(), "k")
			if lifeErr := checkLife(value, ttl, ok, err, tt.want, tt.err, begin); lifeErr != nil {
				t.Errorf("%s: GetWithTTL: %v", name, lifeErr)
			}
			begin = time.Now()
			values, ttls, err := b.GetManyWithTTL(t.Context(), []string{"absent", "k"})
			want := tt.err
			if want == cache.ErrCorrupt {
				want = nil // as in GetMany
			}
			if values[0] != nil {
				t.Errorf("%s: a value for an absent key", name)
			}
			if lifeErr := checkLife(values[1], ttls[1], values[1] != nil, err, tt.want, want, begin); lifeErr != nil {
				t.Errorf("%s: GetManyWithTTL: %v", name, lifeErr)
			}
		}
	}
}

const (
	noPTTL  = "-NOPERM this user has no permissions to run the 'pttl' command\r\n"
	loading = "-LOADING Redis is loading\r\n"
)

func checkLife(value []byte, ttl time.Duration, ok bool, err error, want time.Duration, wantErr error, begin time.Time) error {
	longest, shortest := want, max(want-time.Since(begin), 1)
	if want == 0 {
		shortest = 0
	}
	switch {
	case !errors.Is(err, wantErr):
		return fmt.Errorf("%w; want %v", cmp.Or(err, errors.New("no error")), wantErr)
	case ok != (want >= 0), ok != (string(value) == "v"):
		return fmt.Errorf("%q, %v", value, ok)
	case ok && (ttl > longest || ttl < shortest):
		return fmt.Errorf("TTL %v; want %v to %v", ttl, shortest, longest)
	case !ok && ttl != 0:
		return fmt.Errorf("TTL %v without a value", ttl)
	}
	return nil
}

// A value and its TTL cost one round trip, a batch as well.
func TestGetWithTTLInOneRoundTrip(t *testing.T) {
	f := lifeFake(t, ":1000\r\n", "$1\r\nv\r\n", ":1000\r\n")
	b := start(t, Options{Addr: f.addr})
	if _, _, _, err := b.GetWithTTL(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	if got, want := f.sent(), "pttl, get, pttl"; got != want {
		t.Errorf("sent %s; want %s", got, want)
	}
	keys := manyKeys(3 * chunkKeys)
	if values, ttls, err := b.GetManyWithTTL(t.Context(), keys); err != nil || oneEach(len(values), keys) != nil || oneEach(len(ttls), keys) != nil {
		t.Errorf("%d values, %d TTLs, %v", len(values), len(ttls), err)
	}
	if n := f.count("get"); n != 1+len(keys) || f.count("pttl") != 2*n {
		t.Errorf("%d GET, %d PTTL", n, f.count("pttl"))
	}
}

// The driver sends a pipeline to a replica only if it knows that every command is one
// that a replica may execute.
func TestGetWithTTLAsksThePrimary(t *testing.T) {
	for name, replicas := range map[string]bool{"primaries": false, "replicas": true} {
		b := start(t, Options{Cluster: []string{"127.0.0.1:1"}, ReadFromReplicas: replicas})
		var r lifeRead
		p := r.init(t.Context(), b, "k")
		unknown := 0
		for _, cmd := range p.all {
			if cmd.Name() == "" {
				unknown++
			}
			if key, ok := cmd.Args()[1].(string); !ok || key != "k" {
				t.Errorf("%s: %v", name, cmd.Args())
			}
		}
		if unknown > 0 != replicas {
			t.Errorf("%s: %d commands without a name", name, unknown)
		}
	}
	var _ goredis.Cmder = fromPrimary{}
}
