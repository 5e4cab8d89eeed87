package driver

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Common holds the settings that package cache reads for every backend.
type Common struct {
	Type           string        `setting:"CACHE_TYPE" default:"null" help:"name of the backend; without it, null is used and a warning logged"`
	DefaultTimeout time.Duration `setting:"CACHE_DEFAULT_TIMEOUT" default:"300" min:"0" help:"TTL of entries in seconds, or a duration such as \"5m\"; 0 never expires"`
	KeyPrefix      string        `setting:"CACHE_KEY_PREFIX" verbatim:"true" help:"prefix of every key; Clear removes only keys that begin with it"`
	IgnoreErrors   bool          `setting:"CACHE_IGNORE_ERRORS" default:"false" help:"report store failures as misses; observers still receive them"`
	Flask          bool          `setting:"CACHE_FLASK" default:"false" help:"keys, values and placement as Flask-Caching stores them, to share the cache with a Flask program; requires the import of package flask"`
}

// withOptions adds CACHE_OPTIONS to Common, which does not hold it because its values
// may be secrets.
type withOptions struct {
	Common
	further
}

type further struct {
	Options map[string]any `setting:"CACHE_OPTIONS" help:"further options of the backend by their snake_case names: a map, or a JSON object as text"`
}

const typeKey = "CACHE_TYPE"

// CommonSettings lists the settings that package cache reads for every backend.
func CommonSettings() []Setting { return declared(withOptions{}) }

// Settings holds the CACHE_* settings of one call of Open. A backend converts them
// with Bind, reports mistakes that only it can find with Fail, and then calls Check.
// Settings is not safe for concurrent use. It is printed, logged and encoded without
// secrets: see [Mask].
type Settings struct {
	hidden   **values
	bound    []field // declared in the targets of Bind
	problems Problems
}

// values is behind a pointer to a pointer, which fmt prints as an address. It follows a
// plain pointer in an unexported field if the verb does not fit, and prints secrets.
type values struct {
	common  Common
	given   map[string]any // by setting
	options map[string]any // by name in CACHE_OPTIONS
}

// NewSettings returns settings by name. A nil value counts as not set.
func NewSettings(given map[string]any) *Settings { return newSettings(given, "") }

// newSettings is NewSettings with the path of the settings, which errors show.
func newSettings(given map[string]any, path string) *Settings {
	v := &values{given: given}
	s := &Settings{hidden: &v}
	s.problems.path = path
	var common withOptions
	s.Bind(&common)
	v.common, v.options = common.Common, common.Options
	return s
}

func (s *Settings) values() *values {
	if s.hidden == nil {
		return new(values)
	}
	return *s.hidden
}

// Common returns the settings that every backend has.
func (s *Settings) Common() Common { return s.values().common }

// Has reports whether a setting is given: by its name, or as "CACHE_OPTIONS.name".
func (s *Settings) Has(name string) bool { return s.value(name) != nil }

func (s *Settings) value(name string) any {
	if option, ok := strings.CutPrefix(name, optionsKey+"."); ok {
		return s.values().options[option]
	}
	return s.values().given[name]
}

// Bind converts the settings that are declared in target, a pointer to a struct.
// A value that cannot be converted or is out of bounds is reported by Check, as is a
// nil pointer, and leaves the field as if the value were not given.
//
// If several fields declare one setting, an interface or pointer field takes a Go
// value that is assignable to it, such as a ready client; anything else goes to the
// first other field, outer structs before embedded ones. Bind sets the defaults,
// except in a struct named Options, where [Complete] sets them.
func (s *Settings) Bind(target any) {
	into := reflect.ValueOf(target).Elem()
	declared := fields(into.Type())
	s.bound = append(s.bound, declared...)
	setDefaults(into, func(f field, _ reflect.Value) bool { return !f.inside && !s.Has(f.Name) })
	done := make(map[string]bool)
	for _, handles := range []bool{true, false} {
		for _, f := range declared {
			given := s.value(f.Name)
			if given == nil || done[f.Name] || f.isHandle() != handles {
				continue
			}
			if handles && !reflect.TypeOf(given).AssignableTo(f.typ) {
				continue
			}
			done[f.Name] = true
			s.bind(f, into.FieldByIndex(f.index), given)
		}
	}
}

func (s *Settings) bind(f field, target reflect.Value, given any) {
	if isNil(given) {
		s.problems.refuse(f, "a nil %T", given)
	} else if err := f.convert(target, given); err != nil {
		s.problems.refuse(f, "%s%w", f.quote(given), err)
	} else {
		s.problems.checkField(f, target, true)
	}
	if s.Failed(f.Name) {
		target.SetZero()
		if !f.inside && f.Default != "" {
			_ = f.convert(target, f.Default) // mustBeSound has tried it
		}
	}
}

func isNil(given any) bool {
	switch v := reflect.ValueOf(given); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Chan:
		return v.IsNil()
	}
	return false
}

// quote returns the beginning of an error about given, without secrets.
func (f field) quote(given any) string {
	if kind := f.typ.Kind(); kind == reflect.Slice || kind == reflect.Map || f.isSecret() {
		return "" // text that cannot be parsed may contain a secret
	}
	switch given.(type) {
	case string:
		return fmt.Sprintf("%q is ", show(given))
	case bool, int, int64, float64, json.Number:
		return fmt.Sprintf("%v is ", show(given))
	}
	return ""
}

// Fail records a mistake in a setting that only the backend can find. The text must
// not contain a secret. Fail has no effect if Bind refused the value of the setting.
func (s *Settings) Fail(name, format string, args ...any) {
	s.problems.add(name, s.Label(name), fmt.Errorf(format, args...))
}

// Failed reports whether Bind refused the value of a setting. Its field is then as if
// the setting were not given.
func (s *Settings) Failed(name string) bool { return s.problems.failed[name] }

// Label returns the names of a setting and of its field, as in errors: "CACHE_SHOP_DB
// (Options.DB)".
func (s *Settings) Label(name string) string {
	label := name
	for _, f := range s.bound {
		if f.Name == name && f.Field != "" {
			label = f.label()
		}
	}
	return label
}

// Check returns an error wrapping [ErrInvalidSettings] that lists every mistake once,
// by setting, or nil. Mistakes are those that Bind and Fail have recorded, those in
// options, names in CACHE_OPTIONS that no field declares, and settings that look
// misspelt. options is a pointer to the Options of the backend, which Check does not
// change, or nil if it has none.
func (s *Settings) Check(options any) error {
	if options != nil {
		s.problems.validate(options)
	}
	s.findUnknown()
	s.findUnknownOptions()
	return s.problems.err()
}

// Unread lists the settings that are given and that this backend does not read. They
// may be meant for another backend or another program. It does not list those that
// [Settings.FlaskHints] names.
func (s *Settings) Unread() []string {
	var unread []string
	for _, name := range slices.Sorted(maps.Keys(s.values().given)) {
		if s.values().given[name] != nil && !s.isBound(name) && !isFlaskOnly(name) {
			unread = append(unread, name)
		}
	}
	return unread
}

func (s *Settings) isBound(name string) bool {
	return slices.ContainsFunc(s.bound, func(f field) bool { return f.Name == name })
}

// findUnknown records settings and options that must be mistakes. Not every unread
// setting is one: an environment also has the variables of other programs and the
// settings of other backends.
func (s *Settings) findUnknown() {
	names := s.names()
	families := s.families()
	_, registered := Lookup(s.Common().Type)
	everyOne := s.isNested() && registered
	for _, name := range slices.Sorted(maps.Keys(s.values().given)) {
		if option, ok := strings.CutPrefix(name, optionsKey+"."); ok && s.values().given[name] != nil {
			s.problems.add(name, name, fmt.Errorf("no such setting: put %s inside %s", option, optionsKey))
		}
	}
	for _, name := range s.Unread() {
		_, declared := lookupSetting(name)
		if declared && everyOne {
			s.problems.add(name, name, fmt.Errorf("not a setting of %s", s.Type()))
		}
		if declared || strings.HasPrefix(name, optionsKey+".") {
			continue
		}
		near := suggestion(name, names)
		inFamily := slices.ContainsFunc(families, func(family string) bool { return strings.HasPrefix(name, family) })
		if near != "" || inFamily || everyOne {
			s.problems.add(name, name, fmt.Errorf("no such setting%s", near))
		}
	}
}

func (s *Settings) findUnknownOptions() {
	names := s.names()
	for _, option := range slices.Sorted(maps.Keys(s.values().options)) {
		if name := optionsKey + "." + option; !s.isBound(name) {
			s.problems.add(name, name, fmt.Errorf("no such option%s", suggestion(name, names)))
		}
	}
}

// names lists what a misspelt name may have meant.
func (s *Settings) names() []string {
	var names []string
	for _, f := range s.bound {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// families returns the prefixes of names that belong only to the chosen backend, such
// as CACHE_SHOP_.
func (s *Settings) families() []string {
	info, ok := Lookup(s.Common().Type)
	if !ok {
		return nil
	}
	return []string{"CACHE_" + strings.ToUpper(info.Types[0]) + "_"}
}

// suggestion returns a hint with the most similar of names, or an empty string. Short
// names may differ by one letter, longer ones by two.
func suggestion(name string, names []string) string {
	best, nearest := "", 3
	for _, candidate := range names {
		limit := 2
		if min(len(name), len(candidate)) <= len("CACHE_")+6 {
			limit = 1
		}
		if d := distance(name, candidate); d <= limit && d < nearest {
			best, nearest = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance returns how many letters must be inserted, removed, replaced or swapped
// with their neighbour to turn a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			substituted := last[j]
			if a[i] != b[j] {
				substituted++
			}
			row[j+1] = min(substituted, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
