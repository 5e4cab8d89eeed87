package driver

import (
	"context"
	"testing"
)

func TestKeyPrefix(t *testing.T) {
	isolate(t)
	type options struct {
		Flask bool `setting:"CACHE_FLASK"`
	}
	type wrapper struct {
		Near Nested `setting:"CACHE_NEAR"`
		Far  Nested `setting:"CACHE_FAR"`
	}
	open := func(context.Context, *Settings) (Backend, error) { return nil, nil }
	Register(Info{Types: []string{"server"}, Settings: options{}, FlaskPrefix: "flask_cache_", Open: open})
	Register(Info{Types: []string{"files"}, Settings: options{}, Open: open})
	Register(Info{Types: []string{"layers"}, Settings: wrapper{}, Open: open})
	files, server := map[string]any{"CACHE_TYPE": "files"}, map[string]any{"CACHE_TYPE": "server"}
	for _, c := range []struct {
		given   map[string]any
		prefix  string // with CACHE_KEY_PREFIX=app:
		without string
	}{
		{server, "app:", "flask_cache_"},
		{files, "", ""},
		{map[string]any{"CACHE_TYPE": "layers", "CACHE_NEAR": files, "CACHE_FAR": server}, "app:", "flask_cache_"},
		{map[string]any{"CACHE_TYPE": "layers", "CACHE_NEAR": files}, "", ""},
	} {
		c.given["CACHE_FLASK"] = true
		if s := NewSettings(c.given); s.KeyPrefix() != c.without || s.ignoresPrefix() {
			t.Errorf("%v: the prefix is %q, want %q", c.given, s.KeyPrefix(), c.without)
		}
		c.given["CACHE_KEY_PREFIX"] = "app:"
		if s := NewSettings(c.given); s.KeyPrefix() != c.prefix || s.ignoresPrefix() != (c.prefix == "") {
			t.Errorf("%v: the prefix is %q, want %q", c.given, s.KeyPrefix(), c.prefix)
		}
		delete(c.given, "CACHE_FLASK")
		if s := NewSettings(c.given); s.KeyPrefix() != "app:" || s.ignoresPrefix() {
			t.Errorf("%v: the prefix is %q, want app:", c.given, s.KeyPrefix())
		}
		delete(c.given, "CACHE_KEY_PREFIX")
	}
}
