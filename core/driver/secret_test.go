package driver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
)

type withSecret struct {
	Shown  Secret
	hidden Secret
	deep   []map[string]*Secret
}

// Rule SEC-3 of the contract.
func TestSecretIsNeverShown(t *testing.T) {
	s := NewSecret("hunter2")
	values := map[string]any{"alone": s, "pointer": &s, "in fields": withSecret{s, s, []map[string]*Secret{{"x": &s}}}}
	for name, value := range values {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		asJSON, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{log.String(), string(asJSON)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
		for _, text := range texts {
			if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
				t.Errorf("%s: %s", name, text)
			}
			if !strings.Contains(text, Masked) && !strings.Contains(text, "2a2a2a") {
				t.Errorf("%s does not show %s: %s", name, Masked, text)
			}
		}
	}
	if s.Reveal() != "hunter2" || s.IsZero() || !NewSecret("").IsZero() || NewSecret("").Reveal() != "" || fmt.Sprint(Secret{}) != "" {
		t.Error("Reveal, IsZero or an empty secret is wrong")
	}
}

// Rule SEC-3 of the contract.
func TestSettingsAreMasked(t *testing.T) {
	registerShop(t)
	s := NewSettings(map[string]any{
		"CACHE_TYPE": "shop://u:hunter2@h", "CACHE_SHOP_HOST": "db", "CACHE_SHOP_PASSWORD": "hunter2", "CACHE_OPTIONS": map[string]any{"token": "hunter2"},
	})
	type holder struct {
		pointer *Settings
		value   Settings
	}
	shown := map[string]any{"pointer": s, "value": *s, "common": s.Common()}
	values := map[string]any{"in fields": holder{s, *s}, "of a zero value": Settings{}}
	maps.Copy(values, shown)
	for name, value := range values {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		asJSON, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{log.String(), string(asJSON)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t"} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
		for _, text := range texts {
			if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
				t.Errorf("%s: %s", name, text)
			}
			if _, ok := shown[name]; ok && !strings.Contains(text, "shop://***@h") {
				t.Errorf("%s does not show the type: %s", name, text)
			}
		}
	}
}
