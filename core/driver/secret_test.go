package driver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
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
