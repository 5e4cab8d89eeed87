package driver_test

import (
	"encoding/hex"
	"math"
	"strconv"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

// pickledIntegers were written by pickle.dumps of CPython 3.11.
var pickledIntegers = map[string]int64{
	"49350a2e":                     5, // protocol 0
	"4c323134373438333634384c0a2e": 1 << 31,
	"4c2d393232333337323033363835343737353830384c0a2e": math.MinInt64,
	"4b052e":                                       5, // 1
	"80024b052e":                                   5, // 2
	"80054b002e":                                   0, // 5
	"80054bff2e":                                   255,
	"80059504000000000000004d00012e":               256,
	"80059506000000000000004affffffff2e":           -1,
	"80059506000000000000004a000000802e":           math.MinInt32,
	"80059508000000000000008a0500000080002e":       1 << 31,
	"8005950b000000000000008a08ffffffffffffff7f2e": math.MaxInt64,
	"8005950b000000000000008a0800000000000000802e": math.MinInt64,
	"80028a002e":                                   0,
}

func TestIntegerFromPickle(t *testing.T) {
	for text, want := range pickledIntegers {
		pickle, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := driver.IntegerFromPickle(pickle); string(got) != strconv.FormatInt(want, 10) {
			t.Errorf("IntegerFromPickle(%q) = %q, want %d", pickle, got, want)
		}
	}
	for _, other := range []string{
		"", ".", "5", "K\x05", "\x80.", "\x80\x05.", "\x80\x06K\x05.", "I01\n.", "I5.", "I5 \n.", "L.", "L\n.", "I+5\n.", "\x80\x04\x88.", "\x80\x04N.", "K\x05..",
		"\x80\x05\x95\x05\x00\x00\x00\x00\x00\x00\x00M\x00\x01.", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", "\x8a\x02\x00.", "L9223372036854775808L\n.", "!\x80\x04K\x05.",
	} {
		if got := driver.IntegerFromPickle([]byte(other)); string(got) != other {
			t.Errorf("IntegerFromPickle(%q) = %q", other, got)
		}
	}
}

func TestIntegerToPickle(t *testing.T) {
	for _, n := range []int64{0, 1, 255, 256, -1, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxInt64, math.MinInt64} {
		text := strconv.FormatInt(n, 10)
		pickle := driver.IntegerToPickle([]byte(text))
		if pickle[0] != 0x80 || string(driver.IntegerFromPickle(pickle)) != text {
			t.Errorf("%d is written as %q", n, pickle)
		}
	}
	for _, other := range []string{"", "-", "+5", "05", "5 ", "1.5", "9223372036854775808", "text"} {
		if got := driver.IntegerToPickle([]byte(other)); string(got) != other {
			t.Errorf("IntegerToPickle(%q) = %q", other, got)
		}
	}
}
