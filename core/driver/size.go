package driver

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
)

// Size is a number of bytes in settings. It is given as a number, as text with a unit,
// or as a part of the memory limit of the process:
//
//	1048576
//	"64MB"     // kB, MB, GB and TB are powers of 1000
//	"256MiB"   // KiB, MiB, GiB and TiB are powers of 1024
//	"10%"
//
// Upper and lower case are equal, B is the unit of one byte, and a number before a unit
// may have a fraction. A size that is not 0 is at least one byte.
//
// The memory limit is the smallest of GOMEMLIMIT (debug.SetMemoryLimit) and the limits
// of the control groups of the process, versions 1 and 2, at the time when the setting
// is read. A percentage is a mistake if there is no limit.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"b", 1}, // the last: it ends the others
}

var (
	errSize    = errors.New(`not a number of bytes, a size such as "256MiB", or a percentage of the memory limit such as "10%"`)
	errPercent = errors.New("not a percentage above 0 and up to 100")
	errNoLimit = errors.New("a percentage of the memory limit of the process, which has none: set GOMEMLIMIT, or give a number of bytes")
)

// UnmarshalSetting implements [Unmarshaler].
func (s *Size) UnmarshalSetting(value any) (err error) {
	text, err := toText(value)
	if err != nil {
		return errSize
	}
	text = strings.ToLower(text)
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		*s, err = partOfMemory(percent)
		return err
	}
	for _, unit := range sizeUnits {
		if number, ok := strings.CutSuffix(text, unit.suffix); ok {
			*s, err = sizeOf(number, unit.bytes)
			return err
		}
	}
	n, err := toInt(value)
	if err != nil {
		return errSize
	}
	*s = Size(n)
	return nil
}

func sizeOf(number string, unit float64) (Size, error) {
	f, err := parseFloat(strings.TrimSpace(number))
	if err != nil || math.Abs(f*unit) >= math.MaxInt64 {
		return 0, errSize
	}
	size := Size(f * unit)
	if size == 0 && f != 0 {
		size = Size(math.Copysign(1, f))
	}
	return size, nil
}

func partOfMemory(percent string) (Size, error) {
	f, err := parseFloat(strings.TrimSpace(percent))
	if err != nil || f <= 0 || f > 100 {
		return 0, errPercent
	}
	limit := memoryLimit(os.DirFS("/"))
	if limit == noMemoryLimit {
		return 0, errNoLimit
	}
	return max(1, Size(float64(limit)*f/100)), nil
}

// String returns the size in bytes.
func (s Size) String() string { return fmt.Sprintf("%d bytes", int64(s)) }
