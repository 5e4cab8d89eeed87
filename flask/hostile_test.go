package flask

import (
	"errors"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// hostile are pickles that a stranger could store. want is a part of the error, empty
// for pickles that are only large.
var hostile = map[string]struct{ pickle, want string }{
	"os.system":              {"cos\nsystem\n(S'id'\ntR.", `"os.system"`},
	"posix.system":           {"cposix\nsystem\n(S'id'\ntR.", `"posix.system"`},
	"eval":                   {"c__builtin__\neval\n(S'1'\ntR.", `"__builtin__.eval"`},
	"getattr":                {"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.", `"builtins.getattr"`},
	"name with dots":         {"\x80\x04\x8c\x08builtins\x8c\x0dset.__class__\x93.", `"builtins.set.__class_`},
	"long name":              {"c" + strings.Repeat("x", 1000) + "\ny\n.", "xxx..."},
	"inst":                   {"(S'id'\nios\nsystem\n.", "0x69"},
	"obj":                    {"(cos\nsystem\nS'id'\no.", "os.system"},
	"obj of a set":           {"(c__builtin__\nset\no.", "0x6f"},
	"persistent id":          {"Pid\n.", "0x50"},
	"binary persistent id":   {"S'id'\nQ.", "0x51"},
	"extension":              {"\x82\x01.", "0x82"},
	"newobj_ex":              {"\x80\x04c__builtin__\nset\n)}\x92.", "0x92"},
	"next buffer":            {"\x80\x05\x97.", "0x97"},
	"subclass of UUID":       {"ccopyreg\n_reconstructor\n(cuuid\nUUID\nc__builtin__\nset\nNtR.", "unfinished"},
	"state of a list":        {"](K\x01}b.", "state"},
	"state of a dict":        {"}}b.", "state"},
	"call of a str":          {"S'x'\n)R.", "not callable"},
	"call of a result":       {"c__builtin__\nset\n)R)R.", "not callable"},
	"object":                 {"c__builtin__\nobject\n)R.", "not plain data"},
	"type as the result":     {"c__builtin__\nset\n.", "not plain data"},
	"unfinished UUID":        {"cuuid\nUUID\n)\x81.", "unfinished"},
	"negative UUID":          {"cuuid\nUUID\n)\x81}S'int'\nJ\xff\xff\xff\xffsb.", "malformed"},
	"encoding":               {"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00rot\x86R.", "arguments"},
	"datetime of a str":      {"cdatetime\ndatetime\nX\x01\x00\x00\x00a\x85R.", "arguments"},
	"month 13":               {"\x80\x04cdatetime\ndate\nC\x04\x07\xea\x0d\x01\x85R.", "arguments"},
	"timedelta too long":     {"cdatetime\ntimedelta\n(I999999999\nI0\nI0\ntR.", "arguments"},
	"protocol 6":             {"\x80\x06N.", "protocol 6"},
	"empty":                  {"", "truncated"},
	"no stop":                {"N", "truncated"},
	"nothing":                {".", "ends with 0 values"},
	"two values":             {"NN.", "ends with 2 values"},
	"bytes after the end":    {"N.N", ""},
	"open mark":              {"N(.", "ends with"},
	"pop below":              {"0.", "more values"},
	"pop below a mark":       {"N(\x85.", "more values"},
	"tuple without a mark":   {"Nt.", "no mark"},
	"append to a tuple":      {")Na.", "another type"},
	"odd dict":               {"(Nd.", "without a value"},
	"unhashable key":         {"}]Ns.", "not hashable"},
	"memo of nothing":        {"h\x00.", "not written"},
	"memo far away":          {"Nr\xff\xff\xff\xff.", "too large"},
	"memo as text":           {"Np4294967295\n.", "too large"},
	"4 GiB of bytes":         {"B\xff\xff\xff\xffx.", "truncated"},
	"16 EiB of bytes":        {"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffx.", "truncated"},
	"16 EiB of text":         {"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffx.", "truncated"},
	"4 GiB integer":          {"\x8b\xff\xff\xff\xff1.", "truncated"},
	"frame too long":         {"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "truncated"},
	"integer of many digits": {"L" + strings.Repeat("9", 1<<20) + "L\n.", "4300 digits"},
	"lone surrogate":         {"X\x03\x00\x00\x00\xed\xa0\x80.", "UTF-8"},
	"escape of a surrogate":  {"V\\ud800\n.", "escape"},
	"list in itself":         {"]q\x00h\x00a.", "values per byte"},
	"dict in itself":         {"}q\x00K\x01h\x00s.", "values per byte"},
	"deep lists":             {strings.Repeat("]", 1<<16) + strings.Repeat("a", 1<<16-1) + ".", "nested"},
	"deep tuples":            {"N" + strings.Repeat("\x85", 1<<16) + ".", "nested"},
	"billion laughs":         {"N" + strings.Repeat("2\x86", 60) + ".", "values per byte"},
	"shared lists":           {"]q\x00(" + strings.Repeat("K\x01", 1000) + "e0](" + strings.Repeat("h\x00", 1000) + "e.", "values per byte"},
	"many nones":             {"]" + "(" + strings.Repeat("N", 1<<16) + "e.", ""},
	"many lists":             {"](" + strings.Repeat("]", 1<<16) + "e.", ""},
	"many dicts":             {"](" + strings.Repeat("}", 1<<16) + "e.", ""},
	"many sets":              {"\x80\x04](" + strings.Repeat("\x8f", 1<<16) + "e.", ""},
	"many memoized":          {"\x80\x04](" + strings.Repeat("]\x94", 1<<15) + "e.", ""},
	"many datetimes":         {"\x80\x04cdatetime\ndate\nq\x000C\x04\x07\xea\x01\x01\x85q\x010](" + strings.Repeat("h\x00h\x01R", 1<<12) + "e.", ""},
	"shared text of bytes":   {"c_codecs\nencode\nq\x000X\x00\x00\x01\x00" + strings.Repeat("a", 1<<16) + "X\x06\x00\x00\x00latin1\x86q\x010](" + strings.Repeat("h\x00h\x01R", 1<<12) + "e.", "passes more values"},
	"shared list of sets":    {"c__builtin__\nset\nq\x000](" + strings.Repeat("N", 1<<12) + "e\x85q\x010](" + strings.Repeat("h\x00h\x01R", 1<<12) + "e.", "passes more values"},
	"shared state":           {"}q\x00(" + strings.Repeat("NN", 1<<12) + "u0](" + strings.Repeat("cuuid\nUUID\n)\x81h\x00b", 1<<12) + "e.", "state"},
	"shared bytes":           {"](B\x00\x00\x01\x00" + strings.Repeat("a", 1<<16) + "q\x00" + strings.Repeat("h\x00", 1<<15) + "e.", "values per byte"},
	"shared integers":        {"](\x8b\x00\x00\x01\x00" + strings.Repeat("a", 1<<16) + "q\x00" + strings.Repeat("h\x00", 1<<15) + "e.", "values per byte"},
	"shared keys":            {"](}q\x00(" + strings.Repeat("NN", 1<<12) + "u" + strings.Repeat("h\x00", 1<<15) + "e.", "values per byte"},
	"many duplicates":        {"](N" + strings.Repeat("2", 1<<16) + "e.", ""},
}

// bytesPerByte is the constant in the documentation of the package.
const bytesPerByte = 400

func TestHostilePickles(t *testing.T) {
	type record struct {
		A []map[string]*int
		B any
	}
	for name, h := range hostile {
		for _, target := range []any{new(any), new(record), new(map[string]any), new([]any), new([][][]string), new([]record), new([][]byte), new([]big.Int), new([]*big.Int)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			err := Unmarshal([]byte(h.pickle), target)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if _, isAny := target.(*any); h.want != "" && isAny && (!errors.Is(err, driver.ErrCorrupt) || !strings.Contains(err.Error(), h.want)) {
				t.Errorf("%s: %v, want an error with %q", name, err, h.want)
			} else if isAny && h.want == "" && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if used, bound := after.TotalAlloc-before.TotalAlloc, uint64(bytesPerByte*len(h.pickle)+1<<16); used > bound {
				t.Errorf("%s into %T: %d bytes were allocated for %d, at most %d", name, target, used, len(h.pickle), bound)
			}
			if took > 10*time.Second {
				t.Errorf("%s took %v", name, took)
			}
		}
	}
}

// A text to which a pickle refers many times is written each time in JSON.
func TestHostileJSON(t *testing.T) {
	for _, name := range []string{"text", "key", "integer"} {
		pickle := map[string]string{
			"text":    "](X\x00\x00\x01\x00" + strings.Repeat("a", 1<<16) + "q\x00" + strings.Repeat("h\x00", 1<<15) + "e.",
			"key":     "X\x00\x00\x01\x00" + strings.Repeat("a", 1<<16) + "q\x000](" + strings.Repeat("}h\x00Ns", 1<<13) + "e.",
			"integer": "](\x8b\x00\x10\x00\x00" + strings.Repeat("a", 1<<12) + "q\x00" + strings.Repeat("h\x00", 1<<15) + "e.",
		}[name]
		if text, ok := jsonOfPickle([]byte(pickle)); ok {
			t.Errorf("%s: JSON of %d bytes for a pickle of %d", name, len(text), len(pickle))
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	pickles(f, func(_, _ string, data []byte) { f.Add(data) })
	for _, h := range hostile {
		if len(h.pickle) < 1<<12 {
			f.Add([]byte(h.pickle))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var value any
		if err := Unmarshal(data, &value); err != nil {
			if !errors.Is(err, driver.ErrCorrupt) {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		written, err := Marshal(value)
		if err != nil {
			return // such as a year beyond 9999 in another timezone
		}
		var again any
		if err := Unmarshal(written, &again); err != nil {
			t.Fatalf("%q was written as %q: %v", data, written, err)
		}
	})
}
