package report

import (
	"strings"

	"golang.org/x/perf/benchunit"
)

// Quantity writes a value with its unit, scaled, as "12.3 ns" or "1.50 KiB". What a
// unit is counted by, as "/op", is left out.
func Quantity(value float64, unit string) string {
	base, _, _ := strings.Cut(unit, "/")
	scaled := benchunit.Scale(value, benchunit.ClassOf(unit))
	number := strings.TrimRight(scaled, "nµmkMGTPKi")
	prefix := scaled[len(number):]
	if strings.Contains(number, ".") && base != "sec" {
		number = strings.TrimSuffix(strings.TrimRight(number, "0"), ".")
	}
	switch base {
	case "sec":
		return number + " " + prefix + "s"
	case "B":
		return number + " " + prefix + "B"
	case "hit%":
		return number + " %"
	}
	return number + prefix + " " + base
}
