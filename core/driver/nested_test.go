package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// shelfOptions are those of the nested backend of the tests.
type shelfOptions struct {
	Addr     string        `setting:"CACHE_SHELF_ADDR" default:"localhost:7000"`
	DB       int           `setting:"CACHE_SHELF_DB" min:"0"`
	Password Secret        `setting:"CACHE_SHELF_PASSWORD"`
	Timeout  time.Duration `option:"timeout" min:"1ms"`
}

// shelf counts the backends that are open.
type shelf struct {
	Backend
	options shelfOptions
	common  Common
	open    *int
}

func (s *shelf) Close() error { *s.open--; return nil }

type pairSettings struct {
	Near Nested `option:"near"`
	Far  Nested `option:"far"`
	pairOptions
}

type pairOptions struct {
	TTL time.Duration `option:"near_ttl" min:"0"`
}

type pair struct {
	Backend
	backends []Backend
}

// registerPair registers a wrapper of two backends, a backend to be wrapped and another
// one, and returns the number of open backends.
func registerPair(t *testing.T) *int {
	isolate(t)
	open := new(int)
	Register(Info{Types: []string{"shelf"}, Settings: shelfOptions{}, Open: func(_ context.Context, s *Settings) (Backend, error) {
		var o shelfOptions
		s.Bind(&o)
		if err := s.Check(&o); err != nil {
			return nil, err
		}
		if o.Addr == "denied" {
			return nil, ErrAuth
		}
		*open++
		return &shelf{options: o, common: s.Common(), open: open}, nil
	}})
	Register(Info{Types: []string{"box"}, Settings: struct {
		Size int `setting:"CACHE_BOX_SIZE"`
	}{}, Open: func(_ context.Context, s *Settings) (Backend, error) { return nil, s.Check(nil) }})
	Register(Info{Types: []string{"pair"}, Settings: pairSettings{}, Open: func(ctx context.Context, s *Settings) (Backend, error) {
		var given pairSettings
		s.Bind(&given)
		backends, err := s.OpenNested(ctx, &given.pairOptions, "near", "far")
		if err != nil {
			return nil, err
		}
		return &pair{backends: backends}, nil
	}})
	return open
}

func TestOpenNested(t *testing.T) {
	open := registerPair(t)
	near := map[string]any{"CACHE_TYPE": "shelf", "CACHE_SHELF_DB": 3, "CACHE_OPTIONS": map[string]any{"timeout": "5s"}}
	for name, options := range map[string]any{
		"maps":         map[string]any{"near": near, "far": Nested{"CACHE_TYPE": "shelf", "CACHE_SHELF_ADDR": "a:1"}},
		"JSON":         `{"near": {"CACHE_TYPE": "shelf", "CACHE_SHELF_DB": 3, "CACHE_OPTIONS": {"timeout": "5s"}}, "far": {"CACHE_TYPE": "Shelf", "CACHE_SHELF_ADDR": "a:1"}}`,
		"JSON in JSON": `{"near": "{\"CACHE_TYPE\": \"shelf\", \"CACHE_SHELF_DB\": \"3\", \"CACHE_OPTIONS\": {\"timeout\": \"5s\"}}", "far": {"CACHE_TYPE": "shelf", "CACHE_SHELF_ADDR": "a:1"}}`,
		"text in maps": map[string]any{"near": near, "far": []byte(` {"CACHE_TYPE": "shelf", "CACHE_SHELF_ADDR": "a:1"} `)},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Open(t.Context(), NewSettings(map[string]any{"CACHE_TYPE": "pair", "CACHE_OPTIONS": options, "CACHE_KEY_PREFIX": "app:"}))
			if err != nil {
				t.Fatal(err)
			}
			near, far := b.(*pair).backends[0].(*shelf), b.(*pair).backends[1].(*shelf)
			if near.options.DB != 3 || near.options.Timeout != 5*time.Second || far.options.Addr != "a:1" {
				t.Errorf("got %+v and %+v", near.options, far.options)
			}
			if far.common.KeyPrefix != "app:" || far.common.Type == "pair" {
				t.Errorf("Common of a nested backend: got %+v, want the outer settings and its own type", far.common)
			}
		})
	}
	if *open != 8 {
		t.Errorf("%d backends are open, want 8", *open)
	}
}

// All mistakes are reported at once, with their paths, and nothing stays open.
func TestOpenNestedMistakes(t *testing.T) {
	open := registerPair(t)
	far := map[string]any{"CACHE_TYPE": "shelf"}
	with := func(name string, value any) map[string]any {
		return map[string]any{"near": far, "far": map[string]any{"CACHE_TYPE": "shelf", name: value}}
	}
	for _, tt := range []struct {
		name    string
		options any
		want    []string
	}{
		{"none", nil, []string{
			`CACHE_OPTIONS.near: missing: the settings of a backend, such as {"CACHE_TYPE": "simple"}`, `CACHE_OPTIONS.far: missing: the settings of a backend, such as {"CACHE_TYPE": "simple"}`}},
		{"no map", map[string]any{"near": 5, "far": "{"}, []string{
			"CACHE_OPTIONS.near: not a map or a JSON object", "CACHE_OPTIONS.far: not a map or a JSON object"}},
		{"no type", map[string]any{"near": far, "far": map[string]any{"CACHE_SHELF_DB": 1}}, []string{"CACHE_OPTIONS.far.CACHE_TYPE: missing: name of the backend"}},
		{"not registered", map[string]any{"near": far, "far": map[string]any{"CACHE_TYPE": "redis"}}, []string{
			`CACHE_OPTIONS.far.CACHE_TYPE: "redis" is not registered (registered: box, pair, shelf); go get github.com/cachebackends/cachebackends/redis and import it as _`}},
		{"out of bounds", with("CACHE_SHELF_DB", -1), []string{"CACHE_OPTIONS.far.CACHE_SHELF_DB: -1 is too small: at least 0"}},
		{"misspelt", with("CACHE_SHELF_ADRR", 1), []string{"CACHE_OPTIONS.far.CACHE_SHELF_ADRR: no such setting; did you mean CACHE_SHELF_ADDR?"}},
		{"no setting", with("color", 1), []string{"CACHE_OPTIONS.far.color: no such setting"}},
		{"of another backend", with("CACHE_BOX_SIZE", 1), []string{"CACHE_OPTIONS.far.CACHE_BOX_SIZE: not a setting of shelf"}},
		{"of package cache", with("CACHE_KEY_PREFIX", "x"), []string{"CACHE_OPTIONS.far.CACHE_KEY_PREFIX: has no effect on a nested backend: set it beside the outer CACHE_TYPE"}},
		{"an option", with("CACHE_OPTIONS", `{"timeuot": 1}`), []string{"CACHE_OPTIONS.far.CACHE_OPTIONS.timeuot: no such option; did you mean CACHE_OPTIONS.timeout?"}},
		{"two levels", with("CACHE_TYPE", "pair"), []string{
			"CACHE_OPTIONS.far.CACHE_OPTIONS.near: missing", "CACHE_OPTIONS.far.CACHE_OPTIONS.far: missing"}},
		{"several", map[string]any{"near": map[string]any{"CACHE_TYPE": "shelf", "CACHE_SHELF_DB": "x"}, "far": map[string]any{"CACHE_TYPE": "x"}, "near_ttl": -1, "color": 1}, []string{
			"CACHE_OPTIONS.near.CACHE_SHELF_DB", "CACHE_OPTIONS.far.CACHE_TYPE", "CACHE_OPTIONS.near_ttl", "CACHE_OPTIONS.color: no such option"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			settings := map[string]any{"CACHE_TYPE": "pair"}
			if tt.options != nil {
				settings["CACHE_OPTIONS"] = tt.options
			}
			_, err := Open(t.Context(), NewSettings(settings))
			if !errors.Is(err, ErrInvalidSettings) {
				t.Fatalf("got %v, want ErrInvalidSettings", err)
			}
			got := err.Error()
			for _, want := range tt.want {
				if strings.Count(got, want) != 1 {
					t.Errorf("got %q\nwant %q in it once", got, want)
				}
			}
			if lines := strings.Count(got, "\n") + 1; lines != len(tt.want) {
				t.Errorf("got %d mistakes in %q, want %d", lines, got, len(tt.want))
			}
		})
	}
	if *open != 0 {
		t.Errorf("%d backends are open, want 0", *open)
	}
}

// A failure that is no mistake keeps its identity and gets the path.
func TestOpenNestedFailure(t *testing.T) {
	open := registerPair(t)
	_, err := Open(t.Context(), NewSettings(map[string]any{"CACHE_TYPE": "pair", "CACHE_OPTIONS": map[string]any{
		"near": map[string]any{"CACHE_TYPE": "shelf"}, "far": map[string]any{"CACHE_TYPE": "shelf", "CACHE_SHELF_ADDR": "denied"},
	}}))
	if !errors.Is(err, ErrAuth) || errors.Is(err, ErrInvalidSettings) || !strings.Contains(err.Error(), "CACHE_OPTIONS.far: ") || *open != 0 {
		t.Errorf("got %v with %d open backends, want ErrAuth under CACHE_OPTIONS.far and none", err, *open)
	}
}

func TestNestedIsMasked(t *testing.T) {
	registerPair(t)
	for name, far := range map[string]any{
		"map":              map[string]any{"CACHE_TYPE": "shelf", "CACHE_SHELF_PASSWORD": "hunter2", "CACHE_OTHER_TOKEN": "hunter2"},
		"Nested":           Nested{"CACHE_TYPE": "shelf", "CACHE_SHELF_PASSWORD": "hunter2"},
		"JSON":             `{"CACHE_TYPE": "shelf", "CACHE_SHELF_PASSWORD": "hunter2", "token": "hunter2"}`,
		"two levels":       map[string]any{"CACHE_TYPE": "pair", "CACHE_OPTIONS": map[string]any{"far": `{"CACHE_TYPE": "shelf", "CACHE_SHELF_PASSWORD": "hunter2"}`}},
		"two levels, JSON": `{"CACHE_TYPE": "pair", "CACHE_OPTIONS": "{\"far\": {\"CACHE_TYPE\": \"shelf\", \"CACHE_SHELF_PASSWORD\": \"hunter2\"}}"}`,
	} {
		shown := fmt.Sprint(Mask("CACHE_OPTIONS", map[string]any{"far": far}))
		if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "shelf") {
			t.Errorf("%s: got %s, want the type without the password", name, shown)
		}
		s := NewSettings(map[string]any{"CACHE_TYPE": "pair", "CACHE_OPTIONS": map[string]any{"far": far}})
		if shown := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(shown, "hunter2") {
			t.Errorf("%s: settings print %s", name, shown)
		}
	}
	if got := Mask("CACHE_OPTIONS", map[string]any{"far": `{"CACHE_SHELF_PASSWORD": hunter2}`}); strings.Contains(fmt.Sprint(got), "hunter2") {
		t.Errorf("damaged JSON: got %v", got)
	}
}
