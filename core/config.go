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

	"github.com/cachebackends/cachebackends/core/driver"
)

// Config is a set of CACHE_* settings, the names that Flask-Caching uses. It is
// immutable; [Open] reports the mistakes in it. Printed with any verb of fmt, with
// slog or as JSON, at any depth, it shows no secrets, and no values of settings that
// no imported backend declares.
type Config struct {
	// hidden is a pointer to a pointer, which fmt prints as an address. It follows a plain
	// pointer in an unexported field if the verb does not fit, and prints secrets.
	hidden **config
}

type config struct {
	values map[string]any
	err    error
}

func newConfig(values map[string]any, err error) Config {
	c := &config{values, err}
	return Config{&c}
}

const keyPrefix = "CACHE_"

// FromMap takes the CACHE_* entries of settings and ignores the others, so that all
// settings of an application can be passed. Values may be typed or text; a ready
// client may stand in place of a host. A nil value counts as not set.
func FromMap(settings map[string]any) Config {
	values := make(map[string]any)
	for key, value := range settings {
		if strings.HasPrefix(key, keyPrefix) && value != nil {
			values[key] = value
		}
	}
	return newConfig(values, nil)
}

// FromEnv takes the CACHE_* entries of environ, which has the form of os.Environ. It
// takes the whole environment and not a look-up function, so that misspelt names are
// found. An empty variable counts as not set. Variables that Kubernetes and Docker
// set for a Service with such a name are ignored.
func FromEnv(environ []string) Config {
	values := make(map[string]any)
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(key, keyPrefix) && value != "" {
			values[key] = value
		}
	}
	return newConfig(withoutServiceLinks(values), nil)
}

// FromJSON reads one JSON object of settings. Errors of reading and syntax are
// returned by [Open] and [Config.Err].
func FromJSON(r io.Reader) Config {
	decoder := json.NewDecoder(r)
	decoder.UseNumber()
	var settings map[string]any
	if err := decoder.Decode(&settings); err != nil {
		return newConfig(nil, fmt.Errorf("reading the settings: %w", err))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return newConfig(nil, errors.New("reading the settings: text after the first JSON object"))
	}
	if settings == nil {
		return newConfig(nil, errors.New("reading the settings: null, not a JSON object"))
	}
	return FromMap(settings)
}

// Override returns the settings of c and of over; those of over take precedence.
func (c Config) Override(over Config) Config {
	values := make(map[string]any)
	maps.Copy(values, c.given())
	maps.Copy(values, over.given())
	return newConfig(values, errors.Join(c.Err(), over.Err()))
}

func (c Config) given() map[string]any {
	if c.hidden == nil {
		return nil
	}
	return (*c.hidden).values
}

// Has reports whether key is set.
func (c Config) Has(key string) bool { return c.given()[key] != nil }

// Err returns the error that occurred when c was made.
func (c Config) Err() error {
	if c.hidden == nil {
		return nil
	}
	return (*c.hidden).err
}

// Masked returns the settings by key, without secrets. The caller owns the map.
func (c Config) Masked() map[string]any {
	shown := make(map[string]any)
	for key, value := range c.given() {
		shown[key] = driver.Mask(key, value)
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
