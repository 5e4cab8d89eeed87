package driver

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Mask returns the value of a setting without secrets. A value is replaced by
// [Masked] if its setting is a [Secret], or if no registered backend declares the
// setting: the value of a misspelt name may be a secret. In text such as
// user:password@host the credentials are replaced.
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
	if f.Secret {
		return Masked
	}
	return withoutUserinfo(value)
}

// withoutUserinfo returns text without credentials, numbers and booleans unchanged,
// lists and maps with such elements, and only the type of any other value.
func withoutUserinfo(value any) any {
	switch v := value.(type) {
	case nil, bool, int, int64, float64, json.Number:
		return v
	case string:
		return maskUserinfo(v)
	case time.Duration:
		return v.String()
	case []string:
		shown := make([]any, len(v))
		for i, element := range v {
			shown[i] = maskUserinfo(element)
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
			shown[i] = withoutUserinfo(list.Index(i).Interface())
		}
		return shown
	}
	return fmt.Sprintf("(%T)", value)
}

func maskNested(name string, value any) any {
	switch {
	case name == "host" || name == "port":
		return withoutUserinfo(value)
	case strings.HasPrefix(name, "CACHE_"):
		return Mask(name, value)
	}
	return Mask(optionsKey+"."+name, value)
}

// maskUserinfo replaces the part of text before its last @ if that part contains a
// colon. The password is not parsed, because it may contain anything, even blanks and
// an @. Text such as name@host is unchanged.
func maskUserinfo(text string) string {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return text
	}
	begin := 0
	if i := strings.Index(text[:at], "://"); i >= 0 {
		begin = i + len("://")
	} else if !strings.Contains(text[:at], ":") {
		return text
	}
	return text[:begin] + Masked + text[at:]
}
