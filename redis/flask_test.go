package redis

import (
	"bytes"
	"testing"
)

func TestFlaskLayout(t *testing.T) {
	b := &Backend{flask: true}
	for value, stored := range map[string]string{
		"":                     "!",
		"\x80\x04N.":           "!\x80\x04N.",
		"!":                    "!!",
		"0":                    "0",
		"-9223372036854775808": "-9223372036854775808",
		"9223372036854775808":  "!9223372036854775808", // beyond int64, so INCRBY refuses it in any case
		"007":                  "!007",
		"-0":                   "!-0",
		"5 ":                   "!5 ",
	} {
		if got := b.stored([]byte(value)); string(got) != stored {
			t.Errorf("%q is stored as %q, want %q", value, got, stored)
		}
		if got := b.value([]byte(stored)); string(got) != value {
			t.Errorf("%q is read as %q, want %q", stored, got, value)
		}
		const dst = "dst"
		if got := b.appended([]byte(dst), []byte(dst+stored)); string(got) != dst+value {
			t.Errorf("%q is appended as %q", stored, got)
		}
	}
	if got := b.value([]byte("-9223372036854775809")); string(got) != "L-9223372036854775809L\n." {
		t.Errorf("an integer beyond int64 is read as %q", got)
	}
	const foreign = "\x80\x03B\x05\x00\x00\x00hello."
	if got := b.value([]byte("hello")); string(got) != foreign {
		t.Errorf("foreign bytes are read as %q, want the pickle %q", got, foreign)
	}
	if got := b.appended(nil, []byte("hello")); string(got) != foreign {
		t.Errorf("foreign bytes are appended as %q, want the pickle %q", got, foreign)
	}
}

// Without the option, nothing is copied or changed.
func TestNoFlaskLayout(t *testing.T) {
	b, value := new(Backend), []byte("!value")
	for _, got := range [][]byte{b.stored(value), b.value(value), b.appended(nil, value)} {
		if !bytes.Equal(got, value) || &got[0] != &value[0] {
			t.Errorf("%q became %q", value, got)
		}
	}
}
