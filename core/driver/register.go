package driver

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Info is what a backend declares about itself. Documentation, checks, masking and
// suggestions are derived from it.
//
// Settings is a zero struct whose fields declare the settings by tags:
//
//	setting   name, such as "CACHE_SHOP_DB"
//	option    name inside CACHE_OPTIONS, such as "pool_size", instead of setting
//	default   value in place of zero, as text
//	min, max  bounds of a number or duration
//	required  "true": zero is an error
//	help      meaning, in a few words, for the table of settings
//	verbatim  "true": text keeps its blanks and quotes
//	prefix    of a struct: put before the names inside it
//
// Fields are of type string, bool, int, int64, float64, time.Duration, []string,
// map[string]any, [Secret], [Nested], an encoding.TextUnmarshaler, an [Unmarshaler], or an
// interface or pointer for a Go value, such as a ready client. Usually the struct
// embeds the Options of the backend and adds fields for settings that Options does
// not have.
type Info struct {
	Types    []string          // values of CACHE_TYPE, lower case; the first is the name of the backend
	Aliases  map[string]string // from a further name, such as that of Flask-Caching's class, to one of Types
	Settings any               // a zero struct; nil if the backend has no settings

	// FlaskPrefix is the prefix of keys that Flask-Caching uses on this store unless its
	// settings say otherwise. With CACHE_FLASK it is the default of CACHE_KEY_PREFIX. A
	// backend that can store entries as Flask-Caching does declares CACHE_FLASK:
	//
	//	Flask bool `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"`
	//
	// A value of such a backend is a pickle, or the decimal text of an int64 that
	// [ParseInteger] accepts. See [cache.UniversalCodec].
	FlaskPrefix string

	// Open makes a backend from settings. Before it opens anything it calls s.Check
	// and returns its error.
	Open func(ctx context.Context, s *Settings) (Backend, error)
}

// Declared lists the settings of the backend in the order of their declaration.
func (i Info) Declared() []Setting {
	if i.Settings == nil {
		return nil
	}
	return declared(i.Settings)
}

func declared(prototype any) []Setting {
	var list []Setting
	for _, f := range fields(reflect.TypeOf(prototype)) {
		same := func(s Setting) bool { return s.Name == f.Name }
		at := slices.IndexFunc(list, same)
		if at < 0 {
			list = append(list, f.Setting)
			continue
		}
		// The declarations of one setting complement each other.
		list[at].Field = cmp.Or(list[at].Field, f.Field)
		list[at].Default = cmp.Or(list[at].Default, f.Default)
		list[at].Help = cmp.Or(list[at].Help, f.Help)
		list[at].Min, list[at].Max = cmp.Or(list[at].Min, f.Min), cmp.Or(list[at].Max, f.Max)
		list[at].Required = list[at].Required || f.Required
	}
	return list
}

var registry struct {
	sync.RWMutex
	infos    []Info
	byName   map[string]int     // of a type or alias, case-folded, to infos
	typeOf   map[string]string  // the same to a type
	settings map[string]Setting // declared by any backend
}

// Register makes a backend available to cache.Open. A backend calls it from an init
// function. Names are not case-sensitive. It panics if Types is empty or Open is nil, a
// name is registered already, an alias is not of one of Types, a declared field is not
// exported or has another type than those above, or a tag cannot be converted to the
// type of its field.
func Register(info Info) {
	if len(info.Types) == 0 || info.Open == nil {
		panic(fmt.Sprintf("driver: Register of %q without Types or without Open", info.Types))
	}
	declared := info.Declared() // before anything is registered: it panics
	registry.Lock()
	defer registry.Unlock()
	if registry.byName == nil {
		registry.byName, registry.typeOf = make(map[string]int), make(map[string]string)
		registry.settings = make(map[string]Setting)
	}
	for _, name := range info.Types {
		register(name, name)
	}
	for alias, name := range info.Aliases {
		if !slices.Contains(info.Types, name) {
			panic("driver: alias " + alias + " is of " + name + ", which is not among Types")
		}
		register(alias, name)
	}
	for _, s := range declared {
		s.Secret = s.Secret || registry.settings[s.Name].Secret // a name is not shown if any backend hides it
		s.Nested = s.Nested || registry.settings[s.Name].Nested
		registry.settings[s.Name] = s
	}
	registry.infos = append(registry.infos, info)
}

// register reserves name for the Info that Register adds. The caller holds the lock.
func register(name, typ string) {
	folded := strings.ToLower(name)
	if _, taken := registry.byName[folded]; taken {
		panic("driver: Register called twice for " + name)
	}
	registry.byName[folded], registry.typeOf[folded] = len(registry.infos), typ
}

// Registered lists the backends in the order of their names.
func Registered() []Info {
	registry.RLock()
	defer registry.RUnlock()
	return slices.SortedFunc(slices.Values(registry.infos), func(a, b Info) int { return strings.Compare(a.Types[0], b.Types[0]) })
}

// Types lists all registered values of CACHE_TYPE without their aliases, sorted.
func Types() []string {
	var types []string
	for _, info := range Registered() {
		types = append(types, info.Types...)
	}
	slices.Sort(types)
	return types
}

// Lookup finds a backend by a value of CACHE_TYPE: a type or an alias, in any case,
// with or without the module path of Flask-Caching or cachelib.
func Lookup(name string) (Info, bool) {
	registry.RLock()
	defer registry.RUnlock()
	at, ok := registry.byName[folded(name)]
	if !ok {
		return Info{}, false
	}
	return registry.infos[at], true
}

// TypeOf returns the type to which name refers, in any form that [Lookup] accepts. It
// is empty if name is not registered.
func TypeOf(name string) string {
	registry.RLock()
	defer registry.RUnlock()
	return registry.typeOf[folded(name)]
}

// folded returns name as it is registered. The caller holds the lock.
func folded(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if _, ok := registry.byName[name]; ok {
		return name
	}
	return className(name)
}

// className removes the module path from a name of a class in Flask-Caching or
// cachelib.
func className(name string) string {
	if strings.HasPrefix(name, "flask_caching.") || strings.HasPrefix(name, "cachelib.") {
		return name[strings.LastIndex(name, ".")+1:]
	}
	return name
}

// lookupSetting finds the declaration of a setting or option in any backend.
func lookupSetting(name string) (Setting, bool) {
	for _, s := range commonSettings {
		if s.Name == name {
			return s, true
		}
	}
	registry.RLock()
	defer registry.RUnlock()
	s, ok := registry.settings[name]
	return s, ok
}

var commonSettings = CommonSettings()

// Open opens the backend that CACHE_TYPE names. It reports all mistakes in the
// settings at once, in an error wrapping [ErrInvalidSettings]; nothing is open then.
func Open(ctx context.Context, s *Settings) (Backend, error) {
	info, ok := Lookup(s.Common().Type)
	if !ok || s.Failed(typeKey) {
		s.Fail(typeKey, "%s", notRegistered(s.Common().Type, s.Has(typeKey)))
		s.findUnknown() // CACHE_TYPE itself may be misspelt
		return nil, s.problems.err()
	}
	s.checkFlask(info)
	backend, err := info.Open(ctx, s)
	if err != nil {
		return nil, err // without backend, which may be a nil pointer in an interface
	}
	return backend, nil
}

// Type returns the registered type to which CACHE_TYPE refers.
func (s *Settings) Type() string { return TypeOf(s.Common().Type) }

// notRegistered explains a missing backend: most often its import is missing.
func notRegistered(name string, given bool) string {
	why := fmt.Sprintf("%q is not registered", withoutCredentials(name))
	if !given {
		why = `not set, and its default "null" is not registered`
	}
	types := Types()
	registered := "none"
	if len(types) > 0 {
		registered = strings.Join(types, ", ")
	}
	name = strings.TrimSuffix(className(strings.ToLower(strings.TrimSpace(name))), "cache")
	hint := "; is the package that registers it imported?"
	if scheme, _, isURL := strings.Cut(name, "://"); isURL {
		hint = "; a URL is not a type"
		if _, ok := lookupSetting("CACHE_" + strings.ToUpper(scheme) + "_URL"); ok {
			hint += ": set CACHE_" + strings.ToUpper(scheme) + "_URL to it"
		}
	} else if module := modules[name]; module != "" {
		hint = fmt.Sprintf("; go get %s%s and import it as _", modulesRoot, module)
	} else if near := suggestion("CACHE_"+name, prefixed("CACHE_", types, slices.Collect(maps.Keys(modules)))); near != "" {
		hint = strings.Replace(near, "CACHE_", "", 1)
	}
	return fmt.Sprintf("%s (registered: %s)%s", why, registered, hint)
}

func prefixed(prefix string, lists ...[]string) []string {
	var all []string
	for _, name := range slices.Concat(lists...) {
		all = append(all, prefix+name)
	}
	slices.Sort(all)
	return all
}

const modulesRoot = "github.com/cachebackends/cachebackends/"

// modules are the modules of this project by the types that they register, for the
// hint in notRegistered. Core has no other information about backends.
var modules = map[string]string{
	"null": "null", "simple": "simple", "filesystem": "filesystem",
	"redis": "redis", "rediscluster": "redis", "redissentinel": "redis",
	"memcached": "memcached", "saslmemcached": "memcached", "spreadsaslmemcached": "memcached",
	"uwsgi": "uwsgi", "gcs": "gcs", "googlecloudstorage": "gcs", "tiered": "tiered", "guard": "guard",
}
