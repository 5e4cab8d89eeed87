package main

import (
	"fmt"
	"math"
	"strconv"
)

// duration shows three digits.
func duration(ns float64) string {
	for _, unit := range []string{"ns", "µs", "ms"} {
		if ns < 999.5 {
			return digits(ns) + " " + unit
		}
		ns /= 1000
	}
	return digits(ns) + " s"
}

// digits shows three of them, and those before the point.
func digits(v float64) string {
	if v >= 999.5 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// times shows a ratio.
func times(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.0f×", v)
	}
	return strconv.FormatFloat(math.Round(100*v)/100, 'f', -1, 64) + "×"
}

func percent(v float64) string { return digits(v) + " %" }

func plain(v float64) string { return fmt.Sprintf("%.0f", v) }

// count shows a number that is round in tens.
func count(v float64) string {
	for _, unit := range []string{"", "k"} {
		if v < 1000 {
			return digits(v) + unit
		}
		v /= 1000
	}
	return digits(v) + "M"
}

// byteCount shows a size in powers of 1024.
func byteCount(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if v < 1024 {
			return digits(v) + " " + unit
		}
		v /= 1024
	}
	return digits(v) + " GiB"
}
