package cache_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// stored has a field of every kind that programs store.
type stored struct {
	Text    string
	Bytes   []byte
	Int     int64
	Uint    uint64
	Float   float64
	Bool    bool
	Nil     *int
	List    []string
	Empty   []string
	Map     map[string]int
	Time    time.Time
	Life    time.Duration
	Omitted string `json:",omitempty"`
	Renamed string `json:"name"`
	Any     any
}

// Entries outlive the program that wrote them, so encodings must not change with a
// release of Go. To rewrite the files: go test -run Golden -update
func TestGoldenEncodings(t *testing.T) {
	value := stored{
		Text: "a <b> & \u2028 \"c\" é 😀", Bytes: []byte{0, 1, 255}, Int: -1 << 62, Uint: 1<<64 - 1, Float: 1e21, Bool: true,
		List: []string{"x", ""}, Map: map[string]int{"b": 2, "a": 1}, Time: time.Date(2026, 1, 31, 12, 0, 0, 5, time.UTC),
		Life: 90 * time.Second, Renamed: "n", Any: []any{nil, 1.5, "x", map[string]any{"k": true}},
	}
	backend := newFake()
	c := cache.New(backend)
	must(t, cache.Of[stored](c).Set(t.Context(), "struct", value))
	must(t, cache.Of[any](c).Set(t.Context(), "any", nil))
	must(t, cache.Of[[]float64](c).Set(t.Context(), "floats", []float64{0, -0.1, 1e-7, 1e20, 1e21, 123456789}))
	must(t, cache.Of[int](c).Set(t.Context(), "int", -42))
	must(t, cache.Of[bool](c).Set(t.Context(), "bool", true))
	must(t, cache.Of[string](c).Set(t.Context(), "string", "\"as it is\""))
	var got bytes.Buffer
	for _, key := range []string{"struct", "any", "floats", "int", "bool", "string"} {
		got.WriteString(key + ": " + string(backend.data[key]) + "\n")
	}
	path := filepath.Join("testdata", "encodings.golden")
	if *update {
		must(t, os.WriteFile(path, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got.String() != string(want) {
		t.Errorf("entries that are stored already are encoded otherwise:\ngot  %s\nwant %s", got.String(), want)
	}
	// The golden file decodes to the same value.
	_, rest, _ := strings.Cut(string(want), "struct: ")
	line, _, _ := strings.Cut(rest, "\n")
	must(t, backend.Set(t.Context(), "old", []byte(line), 0))
	read, ok, err := cache.Of[stored](c).Get(t.Context(), "old")
	if err != nil || !ok || read.Text != value.Text || read.Uint != value.Uint || !read.Time.Equal(value.Time) || !bytes.Equal(read.Bytes, value.Bytes) || read.Float != value.Float {
		t.Errorf("read %+v, %v, %v", read, ok, err)
	}
}
