package flask

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/big"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func power(base, exponent int64, sign int64) *big.Int {
	n := new(big.Int).Exp(big.NewInt(base), big.NewInt(exponent), nil)
	return n.Mul(n, big.NewInt(sign))
}

// values are those of testdata/values.py.
var values = map[string]any{
	"none": nil, "true": true, "false": false,
	"int 0": int64(0), "int -1": int64(-1), "int 255": int64(255), "int 256": int64(256), "int 65536": int64(65536),
	"int -2**31": int64(math.MinInt32), "int 2**31": int64(1 << 31), "int max": int64(math.MaxInt64), "int min": int64(math.MinInt64),
	"int 2**63": power(2, 63, 1), "int -2**63-1": new(big.Int).Sub(power(2, 63, -1), big.NewInt(1)), "int 2**64-1": new(big.Int).Sub(power(2, 64, 1), big.NewInt(1)),
	"int 3**700": power(3, 700, 1), "int -3**700": power(3, 700, -1),
	"float": 1.5, "float inf": math.Inf(1), "float tiny": math.SmallestNonzeroFloat64,
	"str": "text", "str empty": "", "str unicode": "é€😀\n\\u0041", "str long": strings.Repeat("x", 300),
	"bytes": []byte{0, 255, 128}, "bytes empty": []byte{}, "bytes long": bytes.Repeat(allBytes(), 2), "bytearray": []byte("ab"),
	"list": []any{int64(1), "a", nil, []any{int64(2)}}, "list empty": []any{},
	"tuple": Tuple{int64(1), Tuple{int64(2), int64(3)}, Tuple{}}, "tuple 4": Tuple{int64(1), int64(2), int64(3), int64(4)},
	"dict": map[string]any{"a": int64(1), "b": map[string]any{"c": []any{true}}}, "dict empty": map[string]any{},
	"dict keys": Dict{{int64(1), "one"}, {Tuple{int64(1), int64(2)}, "pair"}, {[]byte("k"), nil}},
	"set":       Set{int64(7)}, "set empty": Set{}, "frozenset": Set{int64(7)},
	"datetime": time.Date(2026, 1, 31, 23, 59, 58, 123456000, Naive), "datetime utc": time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
	"datetime zone":  time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", -5*3600-1800)),
	"datetime named": time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", 7200)),
	"date":           Date{2026, 1, 31}, "timedelta": -3*24*time.Hour + 5*time.Second + 7*time.Microsecond, "timedelta 0": time.Duration(0),
	"decimal": Decimal("1.50"), "uuid": UUID{0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78}, "uuid small": UUID{15: 5},
	"shared": []any{[]any{"shared"}, []any{"shared"}},
	"record": map[string]any{
		"id": int64(42), "name": "Ada", "email": nil, "tags": []any{"x", "y"}, "born": Date{1815, 12, 10}, "score": 9.5, "raw": []byte{1}, "Extra": int64(1),
	},
}

func allBytes() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

// pickles calls f with each line of testdata/pickles.txt, which testdata/values.py
// writes.
func pickles(t testing.TB, f func(name, protocol string, data []byte)) {
	text, err := os.ReadFile("testdata/pickles.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		data, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		f(fields[0], fields[1], data)
	}
}

func equalValues(a, b any) bool {
	if x, ok := a.(time.Time); ok {
		y, ok := b.(time.Time)
		_, xOffset := x.Zone()
		_, yOffset := y.Zone()
		return ok && x.Equal(y) && xOffset == yOffset && (x.Location() == Naive) == (y.Location() == Naive)
	}
	return reflect.DeepEqual(a, b)
}

func TestUnmarshalWhatPythonWrites(t *testing.T) {
	seen := map[string]bool{}
	pickles(t, func(name, protocol string, data []byte) {
		seen[name] = true
		want, known := values[name]
		var got any
		if err := Unmarshal(data, &got); err != nil || !known || !equalValues(got, want) {
			t.Errorf("%s in protocol %s: got %#v, %v, want %#v", name, protocol, got, err, want)
		}
	})
	if len(seen) != len(values) {
		t.Errorf("testdata/pickles.txt has %d values, want %d", len(seen), len(values))
	}
}

func TestMarshalReadsBack(t *testing.T) {
	for name, value := range values {
		for _, protocol := range []byte{2, 4} {
			data, err := marshal(value, protocol)
			if err != nil {
				t.Errorf("%s in protocol %d: %v", name, protocol, err)
				continue
			}
			var got any
			if err := Unmarshal(data, &got); err != nil || !equalValues(got, value) {
				t.Errorf("%s in protocol %d: got %#v, %v, want %#v", name, protocol, got, err, value)
			}
		}
	}
}

var update = flag.Bool("update", false, "write testdata/marshaled.txt anew, if Python reads what it will contain")

// marshaled returns what Marshal writes for values, in the form of testdata/pickles.txt.
func marshaled(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, protocol := range []byte{2, 4} {
			data, err := marshal(values[name], protocol)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&lines, "%s\t%d\t%x\n", name, protocol, data)
		}
	}
	return lines.String()
}

// testdata/marshaled.txt is what Python has read.
func TestMarshalWritesWhatPythonHasRead(t *testing.T) {
	golden, err := os.ReadFile("testdata/marshaled.txt")
	if err != nil && !*update {
		t.Fatal(err)
	}
	if marshaled(t) != string(golden) && !*update {
		t.Error("Marshal writes other bytes than those in testdata/marshaled.txt: with Python installed, go test -run Marshal -update")
	}
}

// The installed Python reads the same.
func TestPythonReadsWhatMarshalWrites(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil && *update {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("python3 is not installed; the golden file is tested")
	}
	check := exec.Command(python, "testdata/values.py", "check")
	check.Stdin = strings.NewReader(marshaled(t))
	if out, err := check.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if *update {
		if err := os.WriteFile("testdata/marshaled.txt", []byte(marshaled(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type person struct {
	ID       int               `pickle:"id" json:"other"`
	Name     string            `json:"name"`
	Email    *string           `json:"email"`
	Tags     [2]string         `json:"tags"`
	Born     Date              `json:"born"`
	Score    float32           `json:"score"`
	Raw      []byte            `json:"raw"`
	Extra    any               // by its own name
	Empty    map[string]string `json:"empty,omitempty"`
	Left     string            `json:"-"`
	embedded `pickle:"-"`
}

type embedded struct{ Hidden int }

func TestStructs(t *testing.T) {
	want := person{ID: 42, Name: "Ada", Tags: [2]string{"x", "y"}, Born: Date{1815, 12, 10}, Score: 9.5, Raw: []byte{1}, Extra: int64(1)}
	pickles(t, func(name, protocol string, data []byte) {
		if name != "record" {
			return
		}
		var got person
		if err := Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("protocol %s: got %+v, %v, want %+v", protocol, got, err, want)
		}
	})
	data, err := Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var back any
	if err := Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, values["record"]) {
		t.Errorf("a struct is written as %#v, %v, want %#v", back, err, values["record"])
	}
}

func TestMismatchesNameTheField(t *testing.T) {
	data, err := Marshal(map[string]any{"a": map[string]any{"n": "secret-text"}})
	if err != nil {
		t.Fatal(err)
	}
	var target struct {
		A struct {
			N int `json:"n"`
		} `json:"a"`
	}
	err = Unmarshal(data, &target)
	if !errors.Is(err, driver.ErrCorrupt) || !strings.Contains(err.Error(), "A: n: str does not fit in a int") && !strings.Contains(err.Error(), "a: n: str does not fit in a int") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	for _, c := range []struct{ value, target any }{
		{300, new(int8)}, {-1, new(uint)}, {true, new(int)}, {1, new(bool)}, {1.5, new(int)}, {"x", new([]byte)},
		{[]byte("x"), new(string)}, {[]int{1}, new(int)}, {[]int{1, 2}, new([1]int)}, {map[string]int{"a": 1}, new([]int)}, {time.Second, new(int)},
		{5, new(time.Duration)}, {Date{2026, 1, 1}, new(time.Time)}, {Decimal("1"), new(string)}, {"1", new(Decimal)}, {power(2, 70, 1), new(uint64)},
	} {
		data, err := Marshal(c.value)
		if err != nil {
			t.Fatal(err)
		}
		if err := Unmarshal(data, c.target); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("%T into %T: %v, %v", c.value, c.target, err, reflect.ValueOf(c.target).Elem())
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	type node struct{ Next any }
	loop := new(node)
	loop.Next = loop
	for _, value := range []any{make(chan int), func() {}, complex(1, 2), "\xff", loop, Date{2026, 2, 30}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if data, err := Marshal(value); err == nil {
			t.Errorf("%T is written as %q", value, data)
		}
	}
}
