package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Config is a set of CACHE_* settings, the names that Flask-Caching uses. It is
// immutable; what is wrong with it, [Open] reports. However it is printed, by
// any fmt verb, slog or JSON, passwords and other secrets are masked.
type Config struct {
	values map[string]any
	err    error
}

const keyPrefix = "CACHE_"

// FromMap takes the CACHE_* entries of settings and leaves the others aside, so
// that a whole application's settings can be given. Values may be typed or, as
// in an environment, text; a ready client may stand where a host does.
func FromMap(settings map[string]any) Config {
	values := make(map[string]any)
	for key, value := range settings {
		if strings.HasPrefix(key, keyPrefix) && value != nil {
			values[key] = value
		}
	}
	return Config{values: values}
}

// FromEnv takes the CACHE_* entries of environ, which has the form of
// os.Environ: all of it rather than a look-up function, so that a misspelt name
// can be noticed. A variable set to nothing counts as not set.
func FromEnv(environ []string) Config {
	values := make(map[string]any)
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(key, keyPrefix) && value != "" {
			values[key] = value
		}
	}
	return Config{values: values}
}

// FromJSON reads one JSON object of settings. An error of reading or syntax is
// returned by [Open] and by [Config.Err].
func FromJSON(r io.Reader) Config {
	decoder := json.NewDecoder(r)
	decoder.UseNumber()
	var settings map[string]any
	if err := decoder.Decode(&settings); err != nil {
		return Config{err: fmt.Errorf("reading the settings: %w", err)}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Config{err: errors.New("reading the settings: there is more after the first JSON object")}
	}
	return FromMap(settings)
}

// Override returns the settings of c with those of over in their place.
func (c Config) Override(over Config) Config {
	values := maps.Clone(c.values)
	if values == nil {
		values = make(map[string]any)
	}
	maps.Copy(values, over.values)
	return Config{values: values, err: errors.Join(c.err, over.err)}
}

// Has reports whether key is set.
func (c Config) Has(key string) bool { return c.values[key] != nil }

// Err returns what went wrong in making c.
func (c Config) Err() error { return c.err }

// Masked returns the settings by key, with secrets replaced, fit to be shown.
func (c Config) Masked() map[string]any {
	shown := make(map[string]any, len(c.values))
	for key, value := range c.values {
		shown[key] = mask(key, value)
	}
	return shown
}

// Format prints the settings masked, sorted by key, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) {
	shown := c.Masked()
	for i, key := range slices.Sorted(maps.Keys(shown)) {
		if i > 0 {
			io.WriteString(f, " ")
		}
		fmt.Fprintf(f, "%s=%v", key, shown[key])
	}
}

// LogValue logs the settings masked.
func (c Config) LogValue() slog.Value { return slog.AnyValue(c.Masked()) }

// MarshalJSON writes the settings masked.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.Masked()) }
