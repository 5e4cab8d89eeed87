package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings is how an [Opener] reads a [Config]: it converts, remembers what was
// read, and gathers all errors, so that they are reported at once. Methods that
// find a setting missing return their default; those that cannot convert it
// record an error naming key and value, and return the default too.
type Settings struct {
	values  map[string]any
	section string // "CACHE_OPTIONS." for the options
	read    map[string]bool
	errs    []error
	options *Settings
}

func newSettings(values map[string]any, section string) *Settings {
	return &Settings{values: values, section: section, read: make(map[string]bool)}
}

// Has reports whether key is set.
func (s *Settings) Has(key string) bool { return s.Value(key) != nil }

// Value returns the setting as it was given, nil where it was not: for ready
// clients and other values of Go.
func (s *Settings) Value(key string) any {
	s.read[key] = true
	return s.values[key]
}

// String returns a text.
func (s *Settings) String(key, def string) string {
	switch v := s.Value(key).(type) {
	case nil:
		return def
	case string:
		return v
	case []byte:
		return string(v)
	case bool, int, int64, float64, json.Number:
		return fmt.Sprint(v)
	case fmt.Stringer:
		return v.String()
	}
	s.wrong(key, "a text")
	return def
}

// Int returns a whole number.
func (s *Settings) Int(key string, def int) int {
	switch v := s.Value(key).(type) {
	case nil:
		return def
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v)
		}
	default:
		if n, err := strconv.Atoi(strings.TrimSpace(fmt.Sprint(v))); err == nil {
			return n
		}
	}
	s.wrong(key, "a whole number")
	return def
}

// Bool returns a truth value; text may be true, yes, on, 1 and their opposites.
func (s *Settings) Bool(key string, def bool) bool {
	value := s.Value(key)
	if value == nil {
		return def
	}
	switch strings.ToLower(fmt.Sprint(value)) {
	case "true", "yes", "on", "1", "t", "y":
		return true
	case "false", "no", "off", "0", "f", "n":
		return false
	}
	s.wrong(key, "true or false")
	return def
}

// Duration returns a span of time. Numbers are seconds, text may be seconds
// ("300", "0.5") or a duration of Go ("5m", "500ms").
func (s *Settings) Duration(key string, def time.Duration) time.Duration {
	switch v := s.Value(key).(type) {
	case nil:
		return def
	case time.Duration:
		return v
	default:
		text := strings.TrimSpace(fmt.Sprint(v))
		if d, err := time.ParseDuration(text); err == nil {
			return d
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err == nil && math.Abs(seconds) < math.MaxInt64/float64(time.Second) {
			return time.Duration(seconds * float64(time.Second))
		}
	}
	s.wrong(key, `seconds or a duration such as "5m"`)
	return def
}

// Strings returns a list: a slice, a JSON list, text separated by commas, or
// maps of host and port, which become "host:port".
func (s *Settings) Strings(key string) []string {
	value := s.Value(key)
	if text, ok := value.(string); ok {
		var err error
		if value, err = splitList(text); err != nil {
			s.Fail(key, "not a list") // it may hold a secret, and cannot be masked unparsed
			return nil
		}
	}
	var list []string
	switch v := value.(type) {
	case nil:
	case []string:
		list = v
	case []any:
		for _, element := range v {
			list = append(list, s.element(key, element))
		}
	case []map[string]any:
		for _, element := range v {
			list = append(list, s.element(key, element))
		}
	default:
		s.wrong(key, "a list")
	}
	return list
}

// splitList reads a list written as text.
func splitList(text string) (any, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var list []any
		err := decoder.Decode(&list)
		return list, err
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(part string) bool { return part == "" }), nil
}

// element reads one element of a list of addresses.
func (s *Settings) element(key string, element any) string {
	switch e := element.(type) {
	case string:
		return e
	case map[string]any:
		host, hasHost := e["host"].(string)
		if port, hasPort := e["port"]; hasHost && hasPort {
			return host + ":" + fmt.Sprint(port)
		}
	case []any: // Python's (host, port)
		if len(e) == 2 {
			return fmt.Sprint(e[0]) + ":" + fmt.Sprint(e[1])
		}
	}
	s.wrong(key, "a list of texts, or of host and port")
	return ""
}

// Options returns the settings inside CACHE_OPTIONS, by their snake_case names.
// Every option that the opener does not read is an error.
func (s *Settings) Options() *Settings {
	if s.options != nil {
		return s.options
	}
	const key = "CACHE_OPTIONS"
	var values map[string]any
	switch v := s.Value(key).(type) {
	case nil:
	case map[string]any:
		values = v
	case string:
		if values = asObject(v); values == nil {
			s.Fail(key, "not a JSON object") // it may hold a secret, and cannot be masked unparsed
		}
	default:
		s.wrong(key, "a map")
	}
	s.options = newSettings(values, key+".")
	return s.options
}

// Fail records that key is wrong, for what only the backend can know.
func (s *Settings) Fail(key, format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%s%s: %w", s.section, key, fmt.Errorf(format, args...)))
}

func (s *Settings) wrong(key, want string) {
	s.Fail(key, "%q is not %s", fmt.Sprint(mask(key, s.values[key])), want)
}

// Err returns all that is wrong, one error per line under [ErrInvalidSettings],
// or nil. Call it when everything has been read: settings that nobody read and
// that look like misspelt ones are errors too.
func (s *Settings) Err() error {
	if errs := s.all(); len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrInvalidSettings, errors.Join(errs...))
	}
	return nil
}

func (s *Settings) all() []error {
	errs := slices.Clone(s.errs)
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if !s.read[key] && s.refuses(key) {
			errs = append(errs, fmt.Errorf("%s%s: no such setting%s", s.section, key, suggestion(key, s.names())))
		}
	}
	if s.options != nil {
		errs = append(errs, s.options.all()...)
	}
	return errs
}

// refuses tells a mistake from a setting meant for somebody else: other backends
// have settings of their own, and an environment has other programs' variables.
func (s *Settings) refuses(key string) bool {
	if s.section != "" {
		return true
	}
	if isKnown(key) {
		return false
	}
	for name := range s.read {
		if family(name) != "" && family(name) == family(key) {
			return true
		}
	}
	return suggestion(key, s.names()) != ""
}

// names lists what a misspelt key may have meant.
func (s *Settings) names() []string {
	names := slices.Collect(maps.Keys(s.read))
	if s.section == "" {
		for _, known := range known {
			names = append(names, known.Key)
		}
	}
	slices.Sort(names)
	return names
}

// family is what the settings of one backend begin with, CACHE_REDIS_ for
// CACHE_REDIS_HOST; empty for settings of no family, such as those of core.
func family(key string) string {
	if isCore(key) {
		return ""
	}
	words := strings.SplitAfterN(key, "_", 3)
	if len(words) < 3 {
		return ""
	}
	return words[0] + words[1]
}

// suggestion names what is nearest to key, where anything is near.
func suggestion(key string, names []string) string {
	best, nearest := "", 3
	for _, name := range names {
		if d := distance(key, name); d < nearest {
			best, nearest = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the Levenshtein distance of two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
