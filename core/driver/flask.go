package driver

import (
	"maps"
	"slices"
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

// IgnoresPrefix reports whether CACHE_KEY_PREFIX is set and has no effect.
func (s *Settings) IgnoresPrefix() bool {
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
