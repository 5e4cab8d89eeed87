package driver

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a password or other text that must not be shown. It prints as *** with
// every verb of fmt, in slog and in JSON, at any depth, even in unexported fields.
// The zero value is an empty secret. Make one with [NewSecret]; programs use
// cache.Secret.
type Secret struct {
	shown  string  // what fmt prints of a Secret in an unexported field
	hidden *string // fmt prints the address
}

// Masked is what is shown in place of a secret.
const Masked = "***"

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{Masked, &text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.hidden == nil {
		return ""
	}
	return *s.hidden
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.hidden == nil }

// String returns *** or, for an empty secret, an empty string.
func (s Secret) String() string { return s.shown }

// Format prints what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.shown) }

// LogValue logs what String returns.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.shown) }

// MarshalText returns what String returns; encoding/json uses it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown), nil }
