package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// isolate gives the test a registry of its own.
func isolate(t *testing.T) {
	t.Helper()
	infos, byName, typeOf, settings := registry.infos, registry.byName, registry.typeOf, registry.settings
	registry.infos, registry.byName, registry.typeOf, registry.settings = nil, nil, nil, nil
	t.Cleanup(func() {
		registry.infos, registry.byName, registry.typeOf, registry.settings = infos, byName, typeOf, settings
	})
}

type number int8

type mode uint32

func (m *mode) UnmarshalSetting(given any) error {
	if given != "fast" {
		return errors.New("not a mode")
	}
	*m = 2
	return nil
}

// redacted has a String method that hides it, as a type of passwords may have.
type redacted string

func (redacted) String() string { return "REDACTED" }

type protocol int

func (p *protocol) UnmarshalText(text []byte) error {
	if string(text) != "binary" {
		return fmt.Errorf("none of %q", []string{"binary"})
	}
	*p = 1
	return nil
}

// Rules CFG-3 and TTL-19 of the contract.
func TestConvert(t *testing.T) {
	hosts := []string{"a:1", "b:2"}
	for _, tt := range []struct {
		name  string
		given any
		want  any
		err   string
	}{
		{"int", 5, 5, ""},
		{"int of another type", number(5), 5, ""},
		{"int in text", " 5 ", 5, ""},
		{"int in quotes", `"5"`, 5, ""},
		{"int in a float", 5.0, 5, ""},
		{"int, no number", "abc", 0, "not a whole number"},
		{"int, a fraction", 5.5, 0, "not a whole number"},
		{"int, a boolean", true, 0, "not a whole number"},
		{"int too large", "99999999999999999999", 0, "not a whole number"},
		{"int too small to tell from 0", "1e-400", 0, "not a whole number"},
		{"int, a duration", 5 * time.Second, 0, "not a whole number"},
		{"int in bytes", []byte(" 5\n"), 5, ""},
		{"float too small to tell from 0", json.Number("-1e-400"), -math.SmallestNonzeroFloat64, ""},
		{"float, hexadecimal", "0x10p0", 0.0, "not a number"},
		{"bool", false, false, ""},
		{"bool in text", "Off", false, ""},
		{"bool in a number", 1, true, ""},
		{"bool, a word", "maybe", false, "not true or false"},
		{"text", "x", "x", ""},
		{"text in quotes with a line end", "'x y'\r\n", "x y", ""},
		{"text with a line end inside", "x\ny", "", "text with a line end"},
		{"text of a number", 5, "5", ""},
		{"text of a large float", 123456789.0, "123456789", ""},
		{"text, a list", []int{1}, "", "not text"},
		{"text, blank", " \n", "", "blank"},
		{"text, quoted blank", "' '", "", "blank"},
		{"text with quotes that do not match", `"a","b"`, `"a","b"`, ""},
		{"text, a secret", NewSecret("x"), "", "a secret, though"},
		{"text that prints otherwise", redacted("x"), "x", ""},
		{"text of a URL", &url.URL{Scheme: "https", Host: "h"}, "https://h", ""},
		{"duration", time.Hour, time.Hour, ""},
		{"seconds", 300, 300 * time.Second, ""},
		{"seconds in text", "300", 300 * time.Second, ""},
		{"seconds in a float", 0.5, 500 * time.Millisecond, ""},
		{"duration in text", "5m", 5 * time.Minute, ""},
		{"shortest seconds", 1e-10, time.Nanosecond, ""},
		{"shortest duration", "0.1ns", time.Nanosecond, ""},
		{"seconds too small for a float", "1e-400", time.Nanosecond, ""},
		{"negative seconds", "-1e-400", -time.Nanosecond, ""},
		{"negative seconds in a float", -1e-10, -time.Nanosecond, ""},
		{"negative duration", "-0.1ns", -time.Nanosecond, ""},
		{"no seconds", "-0e9", time.Duration(0), ""},
		{"duration, hexadecimal", "0x10p0", time.Duration(0), "not seconds"},
		{"duration, a word", "soon", time.Duration(0), "not seconds"},
		{"duration too long", "1e300", time.Duration(0), "not seconds"},
		{"duration, not a number", "NaN", time.Duration(0), "not seconds"},
		{"list", hosts, hosts, ""},
		{"list in text", " a:1, 'b:2',", hosts, ""},
		{"list in JSON", `["a:1", "b:2"]`, hosts, ""},
		{"list of maps in JSON", `[{"host": "a", "port": 1}, {"host": "b", "port": "2"}]`, hosts, ""},
		{"list of any", []any{"a:1", map[string]any{"host": "b", "port": 2}}, hosts, ""},
		{"list of maps", []map[string]any{{"host": "a", "port": 1}, {"host": "b", "port": 2}}, hosts, ""},
		{"list of pairs", []any{[]any{"a", 1}, []any{"::1", 2}}, []string{"a:1", "[::1]:2"}, ""},
		{"list, a number", 5, []string(nil), "not a list"},
		{"list of numbers", []any{5}, []string(nil), "not a list"},
		{"list with semicolons", "a:1;b:2", []string(nil), "not a list"},
		{"list with blanks", "a:1 b:2", []string(nil), "not a list"},
		{"list of addresses of IPv6", "[::1]:1,b:2", []string{"[::1]:1", "b:2"}, ""},
		{"list, broken JSON", `["s3cret`, []string(nil), "not a list"},
		{"two lists", `["a:1"],["b:2"]`, []string(nil), "not a list"},
		{"list of one empty text", []string{""}, []string(nil), "not a list"},
		{"list with blanks around", []string{" a:1 ", `"b:2"`}, hosts, ""},
		{"list of a type of text", []redacted{"a:1", "b:2"}, hosts, ""},
		{"list with quotes", `"a:1","b:2"`, hosts, ""},
		{"list with one quote", `"a:1`, []string(nil), "not a list"},
		{"list with one bracket", "[a:1,b:2", []string(nil), "not a list"},
		{"list in brackets", "[a:1,b:2]", []string(nil), "not a list"},
		{"list, empty", []string{}, []string(nil), "an empty list"},
		{"list, no text", "", []string(nil), "an empty list"},
		{"list, a comma", ",", []string(nil), "an empty list"},
		{"list, blank", " ", []string(nil), "blank"},
		{"list, a bracket", "[", []string(nil), "an empty list"},
		{"list, empty JSON", "[]", []string(nil), "an empty list"},
		{"list of maps with a password", []any{map[string]any{"host": "a", "port": 1, "password": "s3cret"}}, []string(nil), `the unknown key "password"`},
		{"list of maps without host", []any{map[string]any{"host": "", "port": 1}}, []string(nil), "not a list"},
		{"list of secrets", []Secret{NewSecret("x")}, []string(nil), "not a list"},
		{"map", map[string]any{"a": 1}, map[string]any{"a": 1}, ""},
		{"two maps", `{"a": true}{"b": 1}`, map[string]any(nil), "not a map"},
		{"own type", "fast", mode(2), ""},
		{"own type, wrong", "slow", mode(0), "not a mode"},
		{"enumeration", "binary", protocol(1), ""},
		{"enumeration, wrong", "telnet", protocol(0), "none of"},
		{"enumeration, a constant", protocol(1), protocol(1), ""},
		{"enumeration, another type", number(1), protocol(0), "none of"},
		{"secret", " x ", NewSecret(" x "), ""},
		{"secret in a secret", NewSecret(" x "), NewSecret(" x "), ""},
		{"secret that prints otherwise", redacted("x"), NewSecret("x"), ""},
		{"secret with a line end", "x\n", NewSecret("x\n"), "text with a line end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := reflect.New(reflect.TypeOf(tt.want)).Elem()
			f := field{typ: target.Type(), verbatim: target.Type() == secretType}
			err := f.convert(target, tt.given)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("a secret shows: %v", err)
			}
			if err == nil && !reflect.DeepEqual(target.Interface(), tt.want) {
				t.Errorf("got %#v, want %#v", target.Interface(), tt.want)
			}
		})
	}
}

// Options and settings of a backend, as an author writes them.
type Options struct {
	Addr     string        `setting:"CACHE_SHOP_HOST" default:"localhost:1" help:"server"`
	URL      string        `setting:"CACHE_SHOP_URL"`
	Password Secret        `setting:"CACHE_SHOP_PASSWORD"`
	DB       int           `setting:"CACHE_SHOP_DB" min:"0"`
	PoolSize int           `option:"pool_size" default:"16" min:"1" max:"100"`
	Timeout  time.Duration `option:"timeout" default:"3s" min:"1ms"`
	Bucket   string        `setting:"CACHE_SHOP_BUCKET" required:"true" help:"the name of a bucket"`
	Luck     int           `setting:"CACHE_SHOP_LUCK" max:"12"`
	Limit    int           `setting:"CACHE_SHOP_LIMIT" min:"-1"`
	Client   any
}

func (o Options) Validate(p *Problems) {
	p.Exclusive("URL", "Addr", "Password")
	p.Requires("Client", "URL")
	p.Requires("Limit", "URL")
	if o.Luck == 0 && p.Failed("Luck") || o.Luck == 13 {
		p.Add("Luck", "%d is unlucky", o.Luck)
	}
	if o.Limit == -5 {
		p.Add("Limit", "%d is no limit", o.Limit)
	}
	if o.DB == 13 {
		p.Add("DB", "%d is unlucky", o.DB)
	}
}

type client struct{ name string }

type shopSettings struct {
	Limit int `setting:"CACHE_SHOP_LIMIT" min:"0"`
	Options
	Ready *client  `setting:"CACHE_SHOP_HOST"`
	Hosts []string `setting:"CACHE_SHOP_HOST" help:"servers, or a ready client"`
	Port  int      `setting:"CACHE_SHOP_PORT" default:"1" min:"1" max:"65535"`
	Files struct {
		CA string `setting:"CA"`
	} `prefix:"CACHE_SHOP_TLS_"`
}

// registerShop makes a backend whose settings end up in the result.
func registerShop(t *testing.T) *shopSettings {
	t.Helper()
	isolate(t)
	var got shopSettings
	Register(Info{
		Types: []string{"shop", "shopcluster"}, Aliases: map[string]string{"ShopCache": "shop"}, Settings: shopSettings{},
		Open: func(_ context.Context, s *Settings) (Backend, error) {
			got = shopSettings{}
			s.Bind(&got)
			got.Options.Limit = got.Limit
			if !s.Has("CACHE_SHOP_URL") {
				got.Options.Limit = 0
			}
			if s.Has("CACHE_SHOP_HOST") && len(got.Hosts) == 0 && got.Ready == nil {
				s.Fail("CACHE_SHOP_HOST", "missing")
			}
			if len(got.Hosts) > 2 {
				s.Fail("CACHE_SHOP_HOST", "%d servers are too many", len(got.Hosts))
			}
			return nil, s.Check(&got.Options)
		},
	})
	return &got
}

func openShop(settings map[string]any) error {
	all := map[string]any{"CACHE_TYPE": "shop", "CACHE_SHOP_BUCKET": "b"}
	for name, value := range settings {
		all[name] = value
	}
	_, err := Open(context.Background(), NewSettings(all))
	return err
}

func TestBind(t *testing.T) {
	got := registerShop(t)
	ready := &client{"ready"}
	err := openShop(map[string]any{
		"CACHE_SHOP_HOST": ready, "CACHE_SHOP_DB": "3", "CACHE_SHOP_TLS_CA": "/ca.pem", "CACHE_OPTIONS": `{"timeout": 2}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Ready != ready || got.Hosts != nil || got.DB != 3 || got.Files.CA != "/ca.pem" || got.Timeout != 2*time.Second || got.Port != 1 {
		t.Errorf("got %+v", *got)
	}
	if got.PoolSize != 0 {
		t.Error("a default was set in Options, where zero means the default")
	}
	if err := openShop(map[string]any{"CACHE_SHOP_HOST": "a, b"}); err != nil || len(got.Hosts) != 2 || got.Addr != "" {
		t.Errorf("got %+v, %v; want the text in the outer field alone", *got, err)
	}
	if err := Complete(&got.Options); err != nil || got.PoolSize != 16 || got.Addr != "localhost:1" || got.Timeout != 3*time.Second {
		t.Errorf("completed: %+v, %v", got.Options, err)
	}
}

// Rules CFG-2, CFG-4, CFG-5 and SEC-3 of the contract.
func TestMistakes(t *testing.T) {
	registerShop(t)
	for _, tt := range []struct {
		name  string
		given map[string]any
		want  []string // none: opens
	}{
		{"nothing", nil, nil},
		{"unreadable", map[string]any{"CACHE_SHOP_DB": "abc"}, []string{`CACHE_SHOP_DB (Options.DB): "abc" is not a whole number`}},
		{"too small", map[string]any{"CACHE_SHOP_DB": -1}, []string{"CACHE_SHOP_DB (Options.DB): -1 is too small: at least 0"}},
		{"too large an option", map[string]any{"CACHE_OPTIONS": map[string]any{"pool_size": 101}},
			[]string{"CACHE_OPTIONS.pool_size (Options.PoolSize): 101 is too large: at most 100"}},
		{"beyond Options", map[string]any{"CACHE_SHOP_PORT": 65536}, []string{"CACHE_SHOP_PORT: 65536 is too large: at most 65535"}},
		{"unreadable in JSON", map[string]any{"CACHE_OPTIONS": `{"pool_size": 1.5}`},
			[]string{"CACHE_OPTIONS.pool_size (Options.PoolSize): 1.5 is not a whole number"}},
		{"missing", map[string]any{"CACHE_SHOP_BUCKET": nil}, []string{"CACHE_SHOP_BUCKET (Options.Bucket): missing: the name of a bucket"}},
		{"exclusive", map[string]any{"CACHE_SHOP_URL": "u", "CACHE_SHOP_PASSWORD": "s3cret"},
			[]string{"CACHE_SHOP_URL (Options.URL): cannot be combined with CACHE_SHOP_PASSWORD (Options.Password)"}},
		{"of the backend", map[string]any{"CACHE_SHOP_DB": 13}, []string{"CACHE_SHOP_DB (Options.DB): 13 is unlucky"}},
		{"zero, though at least 1", map[string]any{"CACHE_OPTIONS": map[string]any{"pool_size": 0}},
			[]string{"CACHE_OPTIONS.pool_size (Options.PoolSize): 0 is too small: at least 1"}},
		{"zero as a duration", map[string]any{"CACHE_OPTIONS": map[string]any{"timeout": "0s"}}, []string{"CACHE_OPTIONS.timeout (Options.Timeout): 0s is too small: at least 1ms"}},
		{"zero beyond Options", map[string]any{"CACHE_SHOP_PORT": 0}, []string{"CACHE_SHOP_PORT: 0 is too small: at least 1"}},
		{"a file that is blank", map[string]any{"CACHE_SHOP_TLS_CA": " "}, []string{`CACHE_SHOP_TLS_CA: " " is blank`}},
		{"an option beside the options", map[string]any{"CACHE_OPTIONS.pool_size": 5}, []string{"CACHE_OPTIONS.pool_size: no such setting: put pool_size inside CACHE_OPTIONS"}},
		{"a secret in a plain setting", map[string]any{"CACHE_SHOP_URL": NewSecret("s3cret")}, []string{"CACHE_SHOP_URL (Options.URL): a secret, though the setting is not secret"}},
		{"unlucky and unreadable", map[string]any{"CACHE_SHOP_LUCK": "x"}, []string{`CACHE_SHOP_LUCK (Options.Luck): "x" is not a whole number`}},
		{"unlucky and too large", map[string]any{"CACHE_SHOP_LUCK": 13}, []string{`CACHE_SHOP_LUCK (Options.Luck): 13 is too large: at most 12`}},
		{"bounds in two declarations", map[string]any{"CACHE_SHOP_LIMIT": -5}, []string{"CACHE_SHOP_LIMIT: -5 is too small: at least 0"}},
		{"unreadable, though required", map[string]any{"CACHE_SHOP_BUCKET": 5i}, []string{"CACHE_SHOP_BUCKET (Options.Bucket): not text"}},
		{"unreadable, though another requires it", map[string]any{"CACHE_SHOP_LIMIT": 1, "CACHE_SHOP_URL": 5i}, []string{"CACHE_SHOP_URL (Options.URL): not text"}},
		{"unreadable, though the opener counts it", map[string]any{"CACHE_SHOP_HOST": 5}, []string{"CACHE_SHOP_HOST: not a list"}},
		{"type of another kind", map[string]any{"CACHE_TYPE": []string{"shop"}}, []string{"CACHE_TYPE: not text"}},
		{"of the opener", map[string]any{"CACHE_SHOP_HOST": "a,b,c"}, []string{"CACHE_SHOP_HOST (Options.Addr): 3 servers"}},
		{"nil URL", map[string]any{"CACHE_SHOP_URL": (*url.URL)(nil)}, []string{"CACHE_SHOP_URL (Options.URL): a nil *url.URL"}},
		{"nil duration", map[string]any{"CACHE_DEFAULT_TIMEOUT": (*time.Duration)(nil)}, []string{"CACHE_DEFAULT_TIMEOUT: a nil *time.Duration"}},
		{"nil time in a plain field", map[string]any{"CACHE_KEY_PREFIX": (*time.Time)(nil)}, []string{"CACHE_KEY_PREFIX: a nil *time.Time"}},
		{"nil client", map[string]any{"CACHE_SHOP_HOST": (*client)(nil)}, []string{"CACHE_SHOP_HOST: a nil *driver.client"}},
		{"wrong kind", map[string]any{"CACHE_SHOP_HOST": 5}, []string{"CACHE_SHOP_HOST: not a list"}},
		{"broken options", map[string]any{"CACHE_OPTIONS": `{"password": "s3cret"`}, []string{"CACHE_OPTIONS: not a map or a JSON object"}},
		{"misspelt", map[string]any{"CACHE_SHOP_ULR": "s3cret"}, []string{"CACHE_SHOP_ULR: no such setting; did you mean CACHE_SHOP_URL?"}},
		{"of the family, like nothing", map[string]any{"CACHE_SHOP_WINGSPAN": "s3cret"}, []string{"CACHE_SHOP_WINGSPAN: no such setting"}},
		{"common, misspelt", map[string]any{"CACHE_DEFAULT_TIMOUT": 1}, []string{"did you mean CACHE_DEFAULT_TIMEOUT?"}},
		{"letters swapped", map[string]any{"CACHE_TPYE": "s3cret"}, []string{"CACHE_TPYE: no such setting; did you mean CACHE_TYPE?"}},
		{"type, misspelt", map[string]any{"CACHE_TIPE": 1}, []string{"did you mean CACHE_TYPE?"}},
		{"option, misspelt", map[string]any{"CACHE_OPTIONS": map[string]any{"pool_sise": 5}},
			[]string{"CACHE_OPTIONS.pool_sise: no such option; did you mean CACHE_OPTIONS.pool_size?"}},
		{"of other programs", map[string]any{"CACHE_DSN": "x", "CACHE_DB": 1, "CACHE_TIME": 60, "CACHE_DISK": "hdd", "CACHE_NO_STORE": 1}, nil},
		{"several", map[string]any{"CACHE_DEFAULT_TIMEOUT": "-5", "CACHE_IGNORE_ERRORS": "perhaps", "CACHE_SHOP_DB": -1, "CACHE_SHOP_ULR": "x"},
			[]string{"CACHE_DEFAULT_TIMEOUT: -5s is too small", `CACHE_IGNORE_ERRORS: "perhaps" is not true or false`, "-1 is too small", "did you mean"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := openShop(tt.given)
			if len(tt.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrInvalidSettings) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("%q is not once in: %v", want, err)
				}
			}
			if n := strings.Count(err.Error(), "\n") + 1; n != len(tt.want) {
				t.Errorf("%d mistakes reported, want %d: %v", n, len(tt.want), err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("a secret shows: %v", err)
			}
		})
	}
}

// New names the setting as well as the field.
func TestCompleteNamesFieldAndSetting(t *testing.T) {
	err := Complete(&Options{DB: -1, Client: 1})
	for _, want := range []string{"CACHE_SHOP_DB (Options.DB)", "CACHE_SHOP_BUCKET (Options.Bucket): missing", "Options.Client: has no effect without CACHE_SHOP_URL"} {
		if !errors.Is(err, ErrInvalidSettings) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if err := CheckBorrowed(&Options{DB: 1, PoolSize: 1}, "PoolSize"); err == nil || !strings.Contains(err.Error(), "Options.DB): the client is already configured: only PoolSize may be set") {
		t.Errorf("borrowed: %v", err)
	}
}

func TestUnread(t *testing.T) {
	registerShop(t)
	s := NewSettings(map[string]any{"CACHE_TYPE": "shop", "CACHE_SHOP_BUCKET": "b", "CACHE_DIR": "/x", "CACHE_DSN": "y", "CACHE_NIL": nil})
	if _, err := Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := s.Unread(); !reflect.DeepEqual(got, []string{"CACHE_DIR", "CACHE_DSN"}) {
		t.Errorf("got %q", got)
	}
}

func TestDeclared(t *testing.T) {
	registerShop(t)
	info, _ := Lookup("SHOPCACHE")
	var names []string
	for _, s := range info.Declared() {
		names = append(names, s.Name)
		if s.Name == "CACHE_SHOP_HOST" && (s.Help != "servers, or a ready client" || s.Field != "Options.Addr" || s.Default != "localhost:1") {
			t.Errorf("three declarations of one setting are %+v", s)
		}
		if s.Secret != (s.Name == "CACHE_SHOP_PASSWORD") {
			t.Errorf("%s: secret %v", s.Name, s.Secret)
		}
	}
	want := "CACHE_SHOP_LIMIT CACHE_SHOP_HOST CACHE_SHOP_PORT CACHE_SHOP_URL CACHE_SHOP_PASSWORD CACHE_SHOP_DB CACHE_OPTIONS.pool_size CACHE_OPTIONS.timeout CACHE_SHOP_BUCKET CACHE_SHOP_LUCK CACHE_SHOP_TLS_CA"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func noBackend(context.Context, *Settings) (Backend, error) { return nil, errors.ErrUnsupported }

func TestDeclarationsAreChecked(t *testing.T) {
	isolate(t)
	types := []string{"checked"}
	for name, tt := range map[string]struct {
		info Info
		want string
	}{
		"default": {Info{Types: types, Open: noBackend, Settings: struct {
			N int `setting:"CACHE_X" default:"many"`
		}{}}, `default of CACHE_X in struct { N int "setting:\"CACHE_X\" default:\"many\"" }: "many" is not a whole number`},
		"kind": {Info{Types: types, Open: noBackend, Settings: struct {
			N uint `setting:"CACHE_X"`
		}{}}, "has a type that no setting can have: uint"},
		"unexported": {Info{Types: types, Open: noBackend, Settings: struct {
			n int `setting:"CACHE_X"`
		}{}}, "which declares CACHE_X, is not exported"},
		"prefix of no struct": {Info{Types: types, Open: noBackend, Settings: struct {
			N int `prefix:"CACHE_X_"`
		}{}}, "the prefix of N"},
		"no types": {Info{Open: noBackend}, "without Types or without Open"},
		"no Open":  {Info{Types: types}, "without Types or without Open"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, tt.want) {
					t.Errorf("panic %s, want %q", p, tt.want)
				}
				if _, ok := Lookup("checked"); ok {
					t.Error("registered nevertheless")
				}
			}()
			Register(tt.info)
		})
	}
}

// One secret declaration hides a setting, whatever else declares it.
func TestSecretDeclarationWins(t *testing.T) {
	isolate(t)
	type mixed struct {
		Client fmt.Stringer `setting:"CACHE_MIXED_URL" required:"true"`
		URL    Secret       `setting:"CACHE_MIXED_URL"`
		Count  float64      `setting:"CACHE_MIXED_COUNT"`
		Other  float64      `setting:"CACHE_MIXED_COUNT" min:"1" max:"9"`
		Token  Secret       `option:"token"`
	}
	type plain struct {
		Token int `option:"token"`
	}
	Register(Info{Types: []string{"mixed"}, Settings: mixed{}, Open: noBackend})
	Register(Info{Types: []string{"plain"}, Settings: plain{}, Open: func(_ context.Context, s *Settings) (Backend, error) {
		s.Bind(&plain{})
		return nil, s.Check(nil)
	}})
	if got := Mask("CACHE_MIXED_URL", "hunter2"); got != Masked {
		t.Errorf("a second declaration is shown: %v", got)
	}
	if got := fmt.Sprint(Mask("CACHE_OPTIONS", `{"token": "hunter2"}`)); strings.Contains(got, "hunter2") {
		t.Errorf("the declaration of a second backend is shown: %s", got)
	}
	_, err := Open(t.Context(), NewSettings(map[string]any{"CACHE_TYPE": "plain", "CACHE_OPTIONS": map[string]any{"token": "hunter2"}}))
	if text := fmt.Sprint(err); strings.Contains(text, "hunter2") || !strings.Contains(text, "not a whole number") {
		t.Errorf("got %s", text)
	}
	info, _ := Lookup("mixed")
	if d := info.Declared(); !d[0].Secret || !d[0].Required || d[1].Min != "1" || d[1].Max != "9" {
		t.Errorf("declarations do not complement each other: %+v", d)
	}
}

// Rule CFG-4 of the contract: a misspelt name is reported also without a backend.
func TestMisspeltNameOfType(t *testing.T) {
	registerShop(t)
	_, err := Open(t.Context(), NewSettings(map[string]any{"CACHE_TYP": "s3cret", "CACHE_DEFAULT_TIMEOU": 5, "CACHE_OPTIONS": `{"pool_size": 5}`}))
	want := []string{"CACHE_TYPE: not set", "CACHE_TYP: no such setting; did you mean CACHE_TYPE?", "CACHE_DEFAULT_TIMEOU: no such setting"}
	for _, text := range want {
		if strings.Count(fmt.Sprint(err), text) != 1 {
			t.Errorf("%q is not once in: %v", text, err)
		}
	}
	if strings.Count(fmt.Sprint(err), "\n") != len(want)-1 || strings.Contains(fmt.Sprint(err), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// Rule SEC-3 of the contract.
func TestURLAsType(t *testing.T) {
	registerShop(t)
	for url, want := range map[string]string{
		"shop://user:s3cret@host/0":     `"shop://***@host/0" is not registered (registered: shop, shopcluster); a URL is not a type: set CACHE_SHOP_URL to it`,
		"other://h?password=s3cret&x=1": `"other://h?***" is not registered (registered: shop, shopcluster); a URL is not a type`,
	} {
		_, err := Open(t.Context(), NewSettings(map[string]any{"CACHE_TYPE": url}))
		if got := fmt.Sprint(err); !strings.HasSuffix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Rule CFG-1 of the contract.
func TestUnknownType(t *testing.T) {
	registerShop(t)
	for name, want := range map[string]string{
		"RedisSentinelCache": "go get github.com/cachebackends/cachebackends/redis and import",
		"flask_caching.contrib.googlecloudstoragecache.GoogleCloudStorageCache": "go get github.com/cachebackends/cachebackends/gcs and import",
		"shpo":                       "registered: shop, shopcluster",
		"simpel":                     "did you mean simple?",
		"sho":                        "did you mean shop?",
		"werkzeug.contrib.ShopCache": "is not registered",
		"":                           "not registered",
	} {
		_, err := Open(t.Context(), NewSettings(map[string]any{"CACHE_TYPE": name}))
		if !errors.Is(err, ErrInvalidSettings) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
	if _, err := Open(t.Context(), NewSettings(nil)); err == nil || !strings.Contains(err.Error(), "CACHE_TYPE: not set") || !strings.Contains(err.Error(), "cachebackends/null") {
		t.Errorf("not set: %v", err)
	}
}

func TestLookup(t *testing.T) {
	registerShop(t)
	for name, typ := range map[string]string{
		"shop": "shop", " SHOP ": "shop", "shopcluster": "shopcluster", "ShopCache": "shop",
		"flask_caching.backends.ShopCache": "shop", "flask_caching.backends.shopcache.ShopCache": "shop", "cachelib.ShopCache": "shop",
		"other.ShopCache": "",
	} {
		if _, ok := Lookup(name); ok != (typ != "") || TypeOf(name) != typ {
			t.Errorf("%q: %v, %q", name, ok, TypeOf(name))
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic although the name is taken")
		}
	}()
	Register(Info{Types: []string{"ShopCACHE"}, Open: noBackend})
}

// Rule SEC-3 of the contract.
func TestMask(t *testing.T) {
	registerShop(t)
	const secret = "hun ter@2"
	for name, given := range map[string]any{
		"CACHE_SHOP_PASSWORD": secret, "CACHE_SHOP_PASWORD": secret, "CACHE_MY_API_TOKEN": []string{secret},
		"CACHE_SHOP_URL":  "shop://user:" + secret + "@db:1/0",
		"CACHE_SHOP_HOST": []any{":" + secret + "@a", map[string]any{"host": "b", "password": secret}},
		"CACHE_OPTIONS":   `{"password": "` + secret + `", "pool_size": 3}`,
		"CACHE_SHOP_DB":   struct{ Hidden string }{secret},
	} {
		if shown := fmt.Sprintf("%+v", Mask(name, given)); strings.Contains(shown, "ter") {
			t.Errorf("%s is shown as %s", name, shown)
		}
	}
	for _, tt := range []struct {
		name        string
		given, want any
	}{
		{"CACHE_SHOP_URL", "shop://user:" + secret + "@db:1/0", "shop://***@db:1/0"},
		{"CACHE_SHOP_URL", "name@db:1", "name@db:1"},
		{"CACHE_SHOP_URL", "https://h/?token=" + secret, "https://***@2"},
		{"CACHE_SHOP_URL", "https://h/?token=hunter", "https://h/?***"},
		{"CACHE_SHOP_URL", "shop://u:" + secret + "@h/0?token=hunter", "shop://***@h/0?***"},
		{"CACHE_SHOP_URL", "what?", "what?"},
		{"CACHE_SHOP_URL", NewSecret(secret), "***"},
		{"CACHE_DEFAULT_TIMEOUT", math.NaN(), "NaN"},
		{"CACHE_DEFAULT_TIMEOUT", json.Number("x"), "x"},
		{"CACHE_SHOP_DB", 5, 5},
		{"CACHE_OPTIONS", map[string]any{"pool_size": 3, "wings": 2}, map[string]any{"pool_size": 3, "wings": "***"}},
		{"CACHE_OPTIONS", `{"pool_size": `, "***"},
	} {
		if got := Mask(tt.name, tt.given); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s %v: got %v, want %v", tt.name, tt.given, got, tt.want)
		}
	}
}
