package driver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const flaskKey = "CACHE_FLASK"

// checkFlask records a mistake if CACHE_FLASK is on and the backend stores entries only in
// its own way. A backend without settings, such as null, has nothing to change, and
// wrappers pass the setting on.
func (s *Settings) checkFlask(info Info) {
	if s.Common().Flask && info.Settings != nil && !declaresFlask(info) && !isWrapper(info) {
		s.Fail(flaskKey, "%s does not store entries as Flask-Caching does", info.Types[0])
	}
}

func declaresFlask(info Info) bool {
	return slices.ContainsFunc(info.Declared(), func(d Setting) bool { return d.Name == flaskKey })
}

// sharesFlask reports whether Flask can see the entries of the backend. One that only
// accepts CACHE_FLASK, because its entries are its own, declares it outside its Options.
func sharesFlask(info Info) bool {
	return slices.ContainsFunc(info.Declared(), func(d Setting) bool { return d.Name == flaskKey && d.Field != "" })
}

func isWrapper(info Info) bool {
	return slices.ContainsFunc(info.Declared(), func(d Setting) bool { return d.Nested })
}

// declaresFlask reports whether the backend that CACHE_TYPE names declares CACHE_FLASK.
func (s *Settings) declaresFlask() bool {
	info, ok := Lookup(s.Common().Type)
	return ok && (declaresFlask(info) || isWrapper(info))
}

// withFlask returns the settings of a nested backend with CACHE_FLASK of the outer one.
func withFlask(settings map[string]any, flask any) map[string]any {
	settings = maps.Clone(settings)
	settings[flaskKey] = flask
	return settings
}

// KeyPrefix returns the prefix of every key: CACHE_KEY_PREFIX, unless CACHE_FLASK is on.
// Then its default is the prefix of Flask-Caching on the store, see [Info]. On a store
// without one, Flask-Caching ignores CACHE_KEY_PREFIX, and the prefix is empty.
func (s *Settings) KeyPrefix() string {
	if !s.Common().Flask {
		return s.Common().KeyPrefix
	}
	standard := s.flaskPrefix()
	if standard != "" && s.Has(keyPrefixKey) {
		return s.Common().KeyPrefix
	}
	return standard
}

// ignoresPrefix reports whether CACHE_KEY_PREFIX is set and has no effect.
func (s *Settings) ignoresPrefix() bool {
	return s.Common().KeyPrefix != "" && s.KeyPrefix() == ""
}

const keyPrefixKey = "CACHE_KEY_PREFIX"

// flaskPrefix returns the default prefix of Flask-Caching on the store. A wrapper has the
// one of the first backend inside it that has one.
func (s *Settings) flaskPrefix() string {
	info, _ := Lookup(s.Common().Type)
	if info.FlaskPrefix != "" {
		return info.FlaskPrefix
	}
	for _, d := range info.Declared() {
		if !d.Nested || !s.Has(d.Name) {
			continue
		}
		var inner Nested
		if inner.UnmarshalSetting(s.value(d.Name)) != nil {
			continue
		}
		if prefix := NewSettings(inner).flaskPrefix(); prefix != "" {
			return prefix
		}
	}
	return ""
}

// flaskSettings are settings that only Flask-Caching reads, with what to do in Go.
var flaskSettings = map[string]string{
	"CACHE_ARGS":            "arguments of a class of Python: use the settings of the backend",
	"CACHE_HASH_METHOD":     "the keys of package flask are those of md5, and the setting of package filesystem for the names of files is another",
	"CACHE_NO_NULL_WARNING": "remove it",
	"CACHE_SERIALIZER":      "CACHE_FLASK reads and writes pickles, and WithCodec sets another codec",
	"CACHE_SOURCE_CHECK":    "keys that depend on the source text of Python cannot be computed: turn it off in Flask",
}

// FlaskHints names the settings that only Flask-Caching reads or ignores, each with its
// remedy. If such a setting is given, or CACHE_TYPE is the name of a class of
// Flask-Caching, it also says what is not as in Flask-Caching without CACHE_FLASK, unless
// that is given, on or off. cache.Open logs the hints as one warning.
func (s *Settings) FlaskHints() []string {
	var hints []string
	for _, name := range slices.Sorted(maps.Keys(flaskSettings)) {
		if s.Has(name) && !s.isBound(name) && !isOff(s.value(name)) {
			hints = append(hints, name+": "+flaskSettings[name])
		}
	}
	if s.ignoresPrefix() {
		hints = append(hints, "CACHE_KEY_PREFIX: Flask-Caching ignores it on this store, and so does "+flaskKey)
	}
	info, _ := Lookup(s.Common().Type)
	isClass := !strings.EqualFold(strings.TrimSpace(s.Common().Type), s.Type())
	if (isClass || len(hints) > 0) && sharesFlask(info) && !s.Has(flaskKey) {
		prefix := ""
		if info.FlaskPrefix != "" && !s.Has("CACHE_KEY_PREFIX") {
			prefix = fmt.Sprintf(" with the prefix %q", info.FlaskPrefix)
		}
		hints = append(hints, fmt.Sprintf("%s: not set, so entries are not stored as in Flask-Caching%s: "+
			"true shares them with a Flask program, false removes this warning", flaskKey, prefix))
	}
	return hints
}

// isOff reports whether value is false in any form.
func isOff(value any) bool {
	text := fmt.Sprint(value)
	return strings.EqualFold(text, "false") || text == "0" || text == "[]"
}

// isFlaskOnly reports whether FlaskHints names the setting.
func isFlaskOnly(name string) bool {
	_, ok := flaskSettings[name]
	return ok
}
