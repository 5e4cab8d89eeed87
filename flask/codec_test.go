package flask

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

type named int16

func pointer[T any](v T) *T { return &v }

func TestCodecWritesIntegersAsText(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{5, "5"}, {int8(-5), "-5"}, {uint64(math.MaxInt64), "9223372036854775807"}, {math.MinInt64, "-9223372036854775808"}, {named(7), "7"}, {time.March, "3"},
		{pointer(5), "5"}, {pointer(any(5)), "5"}, {pointer(pointer(int32(0))), "0"}, {big.NewInt(-6), "-6"}, {*big.NewInt(6), "6"}, {pointer(*big.NewInt(6)), "6"},
	} {
		data, err := Codec.Marshal(c.value)
		if err != nil || string(data) != c.want {
			t.Errorf("%T %v is written as %q, %v, want %s", c.value, c.value, data, err, c.want)
		}
	}
	for _, value := range []any{
		nil, true, 5.0, "5", []byte("5"), pointer("5"), time.Second, pointer(time.Second), slog.LevelInfo, pointer(slog.LevelInfo), uint64(math.MaxInt64 + 1), power(2, 63, 1),
		[]int{5}, map[string]int{"a": 5}, Decimal("5"), (*int)(nil), (*big.Int)(nil), pointer(any(nil)), [1]int{5}, json.Number("5"),
	} {
		data, err := Codec.Marshal(value)
		if _, integer := driver.ParseInteger(data); err != nil || integer || data[0] != opProto {
			t.Errorf("%T %v is written as %q, %v, want a pickle", value, value, data, err)
		}
	}
}

func TestCodecReadsIntoTheTypeOfTheView(t *testing.T) {
	text, raw := "\x80\x04\x8c\x03é!.", "\x80\x04C\x02\xff\x00."
	for _, c := range []struct {
		data   string
		target any
		want   any
	}{
		{"5", new(int), 5}, {"-5", new(any), int64(-5)}, {"5", new(float64), 5.0}, {"5", new(string), "5"}, {"-5", new([]byte), []byte("-5")}, {"5", new(big.Int), *big.NewInt(5)}, {"5", new(*int), pointer(5)},
		{"\x80\x04K\x05.", new(string), "5"}, {"\x80\x04K\x05.", new(uint8), uint8(5)}, {"\x80\x04K\x05.", new(any), int64(5)},
		{"\x80\x04\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.", new(string), "9223372036854775808"}, {"\x80\x04\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.", new([]byte), []byte("9223372036854775808")},
		{"\x80\x04\x88.", new(int), 1}, {"\x80\x04\x89.", new(named), named(0)}, {"\x80\x04\x88.", new(float32), float32(1)}, {"\x80\x04\x88.", new(bool), true}, {"1", new(bool), true}, {"0", new(*bool), pointer(false)}, {"I5\n.", new(int), 5}, {"L5L\n.", new(any), int64(5)}, {"\x80\x04\x88.", new(any), true},
		{text, new(string), "é!"}, {text, new([]byte), []byte("é!")}, {text, new(any), "é!"}, {text, new(json.RawMessage), json.RawMessage("é!")},
		{raw, new([]byte), []byte{255, 0}}, {raw, new(string), "\xff\x00"}, {raw, new(any), []byte{255, 0}}, {raw, new(*string), pointer("\xff\x00")},
		{text + "rest of a longer value", new(string), "é!"}, {"\x80\x04N.", new(any), nil}, {"\x80\x04N.", new(*int), (*int)(nil)},
		// What the layouts make of values that Python stores without pickle.
		{"\x80\x03B\x02\x00\x00\x00\xff\x00.", new([]byte), []byte{255, 0}}, {"\x80\x02X\x02\x00\x00\x00ab.", new(any), "ab"}, {"\x80\x02\x88.", new(int), 1},
	} {
		if err := Codec.Unmarshal([]byte(c.data), c.target); err != nil {
			t.Errorf("%q into %T: %v", c.data, c.target, err)
		} else if got := reflect.ValueOf(c.target).Elem().Interface(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q into %T: %#v, want %#v", c.data, c.target, got, c.want)
		}
	}
	for _, c := range []struct {
		data   string
		target any
	}{
		{"", new(any)}, {"text", new(string)}, {"05", new(int)}, {"300", new(int8)}, {"-1", new(uint)}, {"5", new(bool)}, {"5", new(Decimal)}, {"5", new([]int)}, {"5", new(time.Duration)},
		{"\x80\x04\x88.", new(string)}, {"\x80\x04\x88.", new(time.Duration)}, {"\x80\x04G?\xf0\x00\x00\x00\x00\x00\x00.", new(int)}, {text, new(int)}, {text, new(Decimal)},
		{"5", nil}, {"5", 5}, {"5", (*int)(nil)},
	} {
		if err := Codec.Unmarshal([]byte(c.data), c.target); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("%q into %T: %v, want ErrCorrupt", c.data, c.target, err)
		}
	}
}

// Every value that the codec writes is read as an equal one.
func TestCodecRoundTrip(t *testing.T) {
	for name, value := range values {
		data, err := Codec.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got any
		if err := Codec.Unmarshal(data, &got); err != nil || !equalValues(got, value) {
			t.Errorf("%s: got %#v, %v, want %#v", name, got, err, value)
		}
	}
}
