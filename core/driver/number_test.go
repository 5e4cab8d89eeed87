package driver

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"
)

// Rules CNT-3, CNT-4 and CNT-8 of the contract.
func TestAddInteger(t *testing.T) {
	for _, tt := range []struct {
		text  string
		delta int64
		want  int64
		ok    bool
	}{
		{"0", 5, 5, true},
		{"-5", 5, 0, true},
		{"41", -42, -1, true},
		{"9223372036854775807", 0, math.MaxInt64, true},
		{"9223372036854775807", -1, math.MaxInt64 - 1, true},
		{"9223372036854775806", 1, math.MaxInt64, true},
		{"9223372036854775807", 1, 0, false},
		{"-9223372036854775808", -1, 0, false},
		{"-9223372036854775808", math.MinInt64, 0, false},
		{"9223372036854775808", -1, 0, false},
		{"", 1, 0, false}, {"+5", 1, 0, false}, {"007", 1, 0, false}, {"-0", 1, 0, false}, {" 5", 1, 0, false},
		{"5 ", 1, 0, false}, {"1_0", 1, 0, false}, {"0x1", 1, 0, false}, {"1.0", 1, 0, false}, {"-", 1, 0, false},
		{"٣", 1, 0, false}, {"5\n", 1, 0, false},
	} {
		got, err := AddInteger([]byte(tt.text), tt.delta)
		if got != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrNotInteger) {
			t.Errorf("%q + %d: %d, %v", tt.text, tt.delta, got, err)
		}
	}
}

func FuzzParseInteger(f *testing.F) {
	for _, text := range []string{"0", "-1", "007", "-0", "9223372036854775808", "+5"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, ok := ParseInteger(text)
		if want, err := strconv.ParseInt(string(text), 10, 64); ok && (err != nil || n != want || strconv.FormatInt(n, 10) != string(text)) {
			t.Errorf("%q is read as %d", text, n)
		}
	})
}

// Rules TTL-7, TTL-9 and TTL-13 of the contract.
func TestRoundUp(t *testing.T) {
	for _, tt := range []struct {
		d, unit time.Duration
		want    int64
	}{
		{0, time.Second, 0}, {1, time.Second, 1}, {time.Second, time.Second, 1}, {time.Second + 1, time.Second, 2},
		{500 * time.Microsecond, time.Millisecond, 1}, {math.MaxInt64, time.Millisecond, math.MaxInt64/1_000_000 + 1},
	} {
		if got := RoundUp(tt.d, tt.unit); got != tt.want {
			t.Errorf("%v in %v: %d, want %d", tt.d, tt.unit, got, tt.want)
		}
	}
}
