package flask

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

func TestJSON(t *testing.T) {
	for text, value := range map[string]any{
		"null": nil, "true": true, "5": 5, "-1": -1, "1.0": 1.0, "1e+21": 1e21, "0.5": 0.5, "9223372036854775808": power(2, 63, 1), `"é<\n"`: "é<\n", `""`: "", "[]": []any{},
		`[1,[null],{"b":"x","a":{}}]`: []any{1, []any{nil}, Dict{{"b", "x"}, {"a", Dict{}}}},
	} {
		data, err := Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := jsonOfPickle(data)
		if !ok || string(got) != text {
			t.Errorf("%#v is %s, %v, want %s", value, got, ok, text)
		}
		back, err := pickleOfJSON([]byte(text))
		if err != nil || string(back) != string(data) {
			t.Errorf("%s is read as %q, %v, want %q", text, back, err, data)
		}
	}
	for text, value := range map[string]any{`[1,"a"]`: Tuple{1, "a"}, `{"1":2}`: Dict{{1, 2}}} { // one way, as in Python
		data, err := Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := jsonOfPickle(data); !ok || string(got) != text {
			t.Errorf("%#v is %s, %v, want %s", value, got, ok, text)
		}
	}
	for _, value := range []any{[]byte("x"), Set{1}, Date{2026, 1, 1}, math.NaN(), math.Inf(1), []any{[]byte{}}, Dict{{Tuple{1}, 2}}} {
		data, err := Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := jsonOfPickle(data); ok {
			t.Errorf("%#v is %s", value, got)
		}
	}
	for _, data := range []string{"", "text", "5", "\x80\x04", "cos\nsystem\n.", hostile["billion laughs"].pickle, hostile["list in itself"].pickle} {
		if got, ok := jsonOfPickle([]byte(data)); ok {
			t.Errorf("%q is %s", data, got)
		}
	}
	for _, text := range []string{"", "{", "[1,]", "nul", "NaN", "1 2", `{"a"}`, "'x'", strings.Repeat("[", 2000) + strings.Repeat("]", 2000), strings.Repeat("9", 5000)} {
		if got, err := pickleOfJSON([]byte(text)); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("%.40s is read as %q, %v", text, got, err)
		}
	}
}
