package cache_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// read opens a backend whose opener is read, and returns the error of Open.
func read(settings map[string]any, read func(s *cache.Settings)) error {
	var r cache.Registry
	r.Register("test", func(_ context.Context, s *cache.Settings) (cache.Backend, error) {
		read(s)
		if err := s.Err(); err != nil {
			return nil, err
		}
		return newFake(), nil
	})
	all := map[string]any{"CACHE_TYPE": "test"}
	for key, value := range settings {
		all[key] = value
	}
	_, err := r.Open(context.Background(), cache.FromMap(all))
	return err
}

type number int8

// Rule CFG-3 of the contract.
func TestSettingsConvert(t *testing.T) {
	asInt := func(s *cache.Settings) any { return s.Int("CACHE_X", 7) }
	asBool := func(s *cache.Settings) any { return s.Bool("CACHE_X", true) }
	asString := func(s *cache.Settings) any { return s.String("CACHE_X", "def") }
	asDuration := func(s *cache.Settings) any { return s.Duration("CACHE_X", time.Minute) }
	asList := func(s *cache.Settings) any { return s.Strings("CACHE_X") }
	hosts := []string{"a:1", "b:2"}
	for _, tt := range []struct {
		name  string
		value any
		read  func(*cache.Settings) any
		want  any
		err   string
	}{
		{"int absent", nil, asInt, 7, ""},
		{"int", 5, asInt, 5, ""},
		{"int of another type", number(5), asInt, 5, ""},
		{"int in text", " 5 ", asInt, 5, ""},
		{"int in a float", 5.0, asInt, 5, ""},
		{"int bad", "abc", asInt, 7, `CACHE_X: "abc" is not a whole number`},
		{"int broken", 5.5, asInt, 7, `CACHE_X: "5.5" is not a whole number`},
		{"int bool", true, asInt, 7, `CACHE_X: "true" is not a whole number`},
		{"int too large", "99999999999999999999", asInt, 7, "not a whole number"},
		{"bool absent", nil, asBool, true, ""},
		{"bool", false, asBool, false, ""},
		{"bool in text", "Off", asBool, false, ""},
		{"bool in a number", 0, asBool, false, ""},
		{"bool bad", "maybe", asBool, true, `CACHE_X: "maybe" is not true or false`},
		{"string absent", nil, asString, "def", ""},
		{"string", "x", asString, "x", ""},
		{"string of a number", 5, asString, "5", ""},
		{"string bad", []int{1}, asString, "def", `CACHE_X: "([]int)" is not a text`},
		{"duration absent", nil, asDuration, time.Minute, ""},
		{"duration", time.Hour, asDuration, time.Hour, ""},
		{"duration in seconds", 300, asDuration, 300 * time.Second, ""},
		{"duration in text of seconds", "300", asDuration, 300 * time.Second, ""},
		{"duration in a float", 0.5, asDuration, 500 * time.Millisecond, ""},
		{"duration in text", "5m", asDuration, 5 * time.Minute, ""},
		{"duration bad", "soon", asDuration, time.Minute, `CACHE_X: "soon" is not seconds or a duration such as "5m"`},
		{"duration too long", "1e300", asDuration, time.Minute, "is not seconds"},
		{"duration no number", "NaN", asDuration, time.Minute, "is not seconds"},
		{"list absent", nil, asList, []string(nil), ""},
		{"list", hosts, asList, hosts, ""},
		{"list in text", " a:1, b:2,", asList, hosts, ""},
		{"list in JSON", `["a:1", "b:2"]`, asList, hosts, ""},
		{"list of maps in JSON", `[{"host": "a", "port": 1}, {"host": "b", "port": "2"}]`, asList, hosts, ""},
		{"list of any", []any{"a:1", map[string]any{"host": "b", "port": 2}}, asList, hosts, ""},
		{"list of maps", []map[string]any{{"host": "a", "port": 1}, {"host": "b", "port": 2}}, asList, hosts, ""},
		{"list of pairs", []any{[]any{"a", 1}, []any{"b", 2}}, asList, hosts, ""},
		{"list bad", 5, asList, []string(nil), `CACHE_X: "5" is not a list`},
		{"list of bad", []any{5}, asList, []string{""}, "CACHE_X"},
		{"list of bad JSON", `["s3cret`, asList, []string(nil), "CACHE_X: not a list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got any
			err := read(map[string]any{"CACHE_X": tt.value}, func(s *cache.Settings) { got = tt.read(s) })
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the value is in the text: %v", err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  int
		err   string
	}{
		{"absent", nil, 10, ""},
		{"map", map[string]any{"pool_size": 5}, 5, ""},
		{"JSON", `{"pool_size": 5}`, 5, ""},
		{"bad option", `{"pool_size": "many"}`, 10, `CACHE_OPTIONS.pool_size: "many" is not a whole number`},
		{"misspelt option", map[string]any{"pool_sise": 5}, 10, "CACHE_OPTIONS.pool_sise: no such setting; did you mean pool_size?"},
		{"unknown option", map[string]any{"wings": 2}, 10, "CACHE_OPTIONS.wings: no such setting"},
		{"bad JSON", `{"password": "s3cret"`, 10, "CACHE_OPTIONS: not a JSON object"},
		{"no map", 5, 10, `CACHE_OPTIONS: "5" is not a map`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got int
			err := read(map[string]any{"CACHE_OPTIONS": tt.value}, func(s *cache.Settings) {
				got = s.Options().Int("pool_size", 10)
				s.Options()
			})
			if got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// Rule CFG-4 of the contract.
func TestMisspeltSettings(t *testing.T) {
	for _, tt := range []struct {
		name, key, want string // no want: it is somebody else's
	}{
		{"of the family", "CACHE_REDIS_ULR", "CACHE_REDIS_ULR: no such setting; did you mean CACHE_REDIS_URL?"},
		{"of the family, like nothing", "CACHE_REDIS_WINGSPAN", "CACHE_REDIS_WINGSPAN: no such setting"},
		{"of core", "CACHE_DEFAULT_TIMOUT", "did you mean CACHE_DEFAULT_TIMEOUT?"},
		{"type", "CACHE_TIPE", "did you mean CACHE_TYPE?"},
		{"of the same module, another type", "CACHE_REDIS_SENTINELS", ""},
		{"of another backend", "CACHE_DIR", ""},
		{"of another program", "CACHE_HIT_RATIO_GOAL", ""},
		{"of another program, near nothing", "CACHE_DEFAULT_REGION", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := read(map[string]any{tt.key: "s3cret"}, func(s *cache.Settings) { s.String("CACHE_REDIS_URL", "") })
			if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// Rule CFG-5 of the contract.
func TestAllErrorsAtOnce(t *testing.T) {
	sentinel := errors.New("no such place")
	err := read(map[string]any{
		"CACHE_DEFAULT_TIMEOUT": "-5",
		"CACHE_IGNORE_ERRORS":   "perhaps",
		"CACHE_REDIS_PORT":      "abc",
		"CACHE_REDIS_PASSWORD":  "s3cret",
		"CACHE_REDIS_ULR":       "x",
		"CACHE_OPTIONS":         map[string]any{"pool": "s3cret"},
	}, func(s *cache.Settings) {
		s.Int("CACHE_REDIS_PORT", 0)
		s.Int("CACHE_REDIS_PASSWORD", 0)
		s.Options()
		s.Fail("CACHE_REDIS_HOST", "%q: %w", "moon", sentinel)
	})
	for _, want := range []string{
		`CACHE_DEFAULT_TIMEOUT: "-5" is negative`, `CACHE_IGNORE_ERRORS: "perhaps" is not`, `CACHE_REDIS_PORT: "abc"`,
		`CACHE_REDIS_PASSWORD: "***" is not`, `CACHE_REDIS_ULR: no such`, `CACHE_OPTIONS.pool: no such`, `CACHE_REDIS_HOST: "moon"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "s3cret") || !errors.Is(err, sentinel) || !errors.Is(err, cache.ErrInvalidSettings) {
		t.Errorf("a secret shows, or a cause is lost: %v", err)
	}
}
