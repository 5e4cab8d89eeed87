package cache

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

const masked = "***"

// secretWords mark the names of settings whose values are never shown. TLS keys
// are settings too, but of files: their paths may be seen.
var secretWords = []string{"PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIAL", "PASSPHRASE", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"}

// userinfo is the part of a URL that can hold a password, up to the last @, for
// a password may hold one too.
var userinfo = regexp.MustCompile(`://[^\s]*@`)

// mask returns value as it may be shown: text, numbers and booleans with the
// secrets out, lists and maps of such, and of anything else its type alone.
func mask(key string, value any) any {
	upper := strings.ToUpper(key)
	for _, word := range secretWords {
		if strings.Contains(upper, word) {
			return masked
		}
	}
	switch v := value.(type) {
	case nil, bool, int, int64, float64, json.Number:
		return v
	case string:
		if settings := asObject(v); settings != nil {
			return mask(key, settings)
		}
		return userinfo.ReplaceAllString(v, "://"+masked+"@")
	case fmt.Stringer: // time.Duration and the like
		return userinfo.ReplaceAllString(v.String(), "://"+masked+"@")
	case []string:
		return maskEach(key, v)
	case []any:
		return maskEach(key, v)
	case []map[string]any:
		return maskEach(key, v)
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name, inner := range v {
			shown[name] = mask(name, inner)
		}
		return shown
	}
	return fmt.Sprintf("(%T)", value)
}

func maskEach[T any](key string, values []T) []any {
	shown := make([]any, len(values))
	for i, value := range values {
		shown[i] = mask(key, value)
	}
	return shown
}

// asObject parses a JSON object written as text, the form of CACHE_OPTIONS in an
// environment; nil where text is none.
func asObject(text string) map[string]any {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil {
		return nil
	}
	return object
}
