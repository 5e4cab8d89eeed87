package driver

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

func toInt(given any) (int64, error) {
	text, err := toText(given)
	if err != nil {
		return 0, errNumber
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := parseFloat(text) // 5.0 and 1e3, as JSON may write them
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, errNumber
	}
	return int64(f), nil
}

func toFloat(given any) (float64, error) {
	text, err := toText(given)
	if err != nil {
		return 0, errFloat
	}
	f, err := parseFloat(text)
	if err != nil {
		return 0, errFloat
	}
	return f, nil
}

// parseFloat reads a finite decimal number. A number that is too small for a float64
// becomes the smallest float64 of the same sign, never 0, which has another meaning.
func parseFloat(text string) (float64, error) {
	if strings.ContainsAny(text, "xX_") {
		return 0, errors.New("not decimal")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, errFloat
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	if f == 0 && isNonzero(mantissa) {
		f = math.Copysign(math.SmallestNonzeroFloat64, f)
	}
	return f, nil
}

func isNonzero(digits string) bool { return strings.ContainsAny(digits, "123456789") }

// toDuration reads seconds or a duration of Go. Less than a nanosecond becomes one
// nanosecond of the same sign, never 0, which has another meaning.
func toDuration(given any) (time.Duration, error) {
	if d, ok := given.(time.Duration); ok {
		return d, nil
	}
	text, err := toText(given)
	if err != nil {
		return 0, errDuration
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d == 0 && isNonzero(text) {
			d = shortest(strings.HasPrefix(text, "-"))
		}
		return d, nil
	}
	seconds, err := parseFloat(text)
	if err != nil || math.Abs(seconds) >= math.MaxInt64/float64(time.Second) {
		return 0, errDuration
	}
	d := time.Duration(seconds * float64(time.Second))
	if d == 0 && seconds != 0 {
		d = shortest(seconds < 0)
	}
	return d, nil
}

func shortest(negative bool) time.Duration {
	if negative {
		return -1
	}
	return 1
}
