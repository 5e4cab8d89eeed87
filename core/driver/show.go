package driver

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// masked returns the settings as they may be shown.
func (s Settings) masked() map[string]any {
	shown := make(map[string]any)
	for name, value := range s.values().given {
		shown[name] = Mask(name, value)
	}
	return shown
}

// Format prints the settings masked, whatever the verb.
func (s Settings) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.masked()) }

// LogValue logs the settings masked.
func (s Settings) LogValue() slog.Value { return slog.AnyValue(s.masked()) }

// MarshalJSON writes the settings masked.
func (s Settings) MarshalJSON() ([]byte, error) { return json.Marshal(s.masked()) }

// masked returns c with a type as it may be shown: somebody may have set it to a URL.
func (c Common) masked() map[string]any {
	return map[string]any{
		"Type": withoutCredentials(c.Type), "DefaultTimeout": c.DefaultTimeout.String(),
		"KeyPrefix": withoutCredentials(c.KeyPrefix), "IgnoreErrors": c.IgnoreErrors, "Flask": c.Flask,
	}
}

// Format prints the settings masked, whatever the verb.
func (c Common) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.masked()) }

// LogValue logs the settings masked.
func (c Common) LogValue() slog.Value { return slog.AnyValue(c.masked()) }

// MarshalJSON writes the settings masked.
func (c Common) MarshalJSON() ([]byte, error) { return json.Marshal(c.masked()) }
