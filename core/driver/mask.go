package driver

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// Mask returns the value of a setting without secrets. A value is replaced by
// [Masked] if its setting is a [Secret], or if no registered backend declares the
// setting: the value of a misspelt name may be a secret. In text such as
// user:password@host the credentials are replaced. The query of a URL, which may
// contain a token, is replaced too. The result can be encoded as JSON.
func Mask(name string, value any) any {
	if name == optionsKey {
		return maskOptions(value)
	}
	s, ok := lookupSetting(name)
	if !ok {
		return Masked
	}
	return field{Setting: s}.mask(value)
}

func maskOptions(value any) any {
	options, err := toMap(value)
	if err != nil {
		return Masked // text that cannot be parsed may contain a secret
	}
	shown := make(map[string]any, len(options))
	for name, inner := range options {
		shown[name] = Mask(optionsKey+"."+name, inner)
	}
	return shown
}

func (f field) mask(value any) any {
	if f.isSecret() {
		return Masked
	}
	if f.isNested() {
		settings, err := toMap(value)
		if err != nil {
			return Masked // text that cannot be parsed may contain a secret
		}
		value = settings
	}
	return show(value)
}

// isSecret reports whether any backend declares the setting as a secret.
func (f field) isSecret() bool {
	s, _ := lookupSetting(f.Name)
	return f.Secret || s.Secret
}

// isNested reports whether any backend declares the setting as [Nested].
func (f field) isNested() bool {
	s, _ := lookupSetting(f.Name)
	return f.Nested || s.Nested
}

// show returns text without credentials, numbers and booleans unchanged, lists and
// maps with such elements, and only the type of any other value.
func show(value any) any {
	switch v := value.(type) {
	case nil, bool, int, int64:
		return v
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v) // JSON has no such number
		}
		return v
	case json.Number:
		if !json.Valid([]byte(v)) {
			return withoutCredentials(v.String())
		}
		return v
	case Secret, *Secret:
		return Masked
	case string:
		return withoutCredentials(v)
	case time.Duration:
		return v.String()
	case []string:
		shown := make([]any, len(v))
		for i, element := range v {
			shown[i] = withoutCredentials(element)
		}
		return shown
	case map[string]any: // of host and port, or settings of a nested backend
		shown := make(map[string]any, len(v))
		for name, inner := range v {
			shown[name] = maskNested(name, inner)
		}
		return shown
	}
	if list := reflect.ValueOf(value); list.Kind() == reflect.Slice && list.Type().Elem().Kind() != reflect.Uint8 {
		shown := make([]any, list.Len())
		for i := range shown {
			shown[i] = show(list.Index(i).Interface())
		}
		return shown
	}
	return fmt.Sprintf("(%T)", value)
}

func maskNested(name string, value any) any {
	switch {
	case name == "host" || name == "port":
		return show(value)
	case strings.HasPrefix(name, "CACHE_"):
		return Mask(name, value)
	}
	return Mask(optionsKey+"."+name, value)
}

// withoutCredentials replaces the part of text before its last @ if that part contains
// a colon. The password is not parsed, because it may contain anything, even blanks and
// an @. Text such as name@host is unchanged. The query of a URL is replaced too.
func withoutCredentials(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 {
		begin := 0
		if i := strings.Index(text[:at], "://"); i >= 0 {
			begin = i + len("://")
		} else if !strings.Contains(text[:at], ":") {
			begin = at
		}
		if begin < at {
			text = text[:begin] + Masked + text[at:]
		}
	}
	if i := strings.Index(text, "://"); i >= 0 {
		if at := strings.IndexByte(text[i:], '?'); at >= 0 {
			text = text[:i+at+1] + Masked
		}
	}
	return text
}
