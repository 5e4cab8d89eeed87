package uwsgi

import (
	"bytes"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestRequestBytes(t *testing.T) {
	for want, r := range map[string]request{
		"o\x22\x00\x11\x03\x00cmd\x03\x00get\x03\x00key\x01\x00k\x05\x00cache\x07\x00mycache":                                                               {command: "get", key: "k"},
		"o\x1c\x00\x11\x03\x00cmd\x05\x00clear\x05\x00cache\x07\x00mycache":                                                                                 {command: "clear"},
		"o\x3c\x00\x11\x03\x00cmd\x06\x00update\x03\x00key\x01\x00k\x05\x00cache\x07\x00mycache\x04\x00size\x02\x0012\x07\x00expires\x02\x0060twelve bytes": {command: "update", key: "k", value: []byte("twelve bytes"), seconds: 60},
	} {
		if got := string(append(r.appendTo(nil, "mycache"), r.value...)); got != want {
			t.Errorf("%+v:\n got %q\nwant %q", r, got, want)
		}
	}
}

// The pairs of every request fit in the reserved overhead.
func TestOverhead(t *testing.T) {
	r := request{command: "update", key: strings.Repeat("k", 100), value: make([]byte, 1<<20), seconds: math.MaxInt64}
	got := len(r.appendTo(nil, "mycache")) - headerSize
	if most := overhead("mycache") + len(r.key); got > most || got < most-20 {
		t.Errorf("%d bytes of pairs, %d reserved", got, most)
	}
}

func TestReadReply(t *testing.T) {
	ok := replyBytes(entry{true, []byte("value"), 1234567890})
	for name, c := range map[string]struct {
		data    string
		value   string
		expires int64
		err     error
	}{
		"an entry":              {string(ok), "value", 1234567890, nil},
		"no expiry":             {string(replyBytes(entry{true, []byte("value"), 0})), "value", 0, nil},
		"an escaped value":      {string(replyBytes(entry{true, []byte{0}, 0})), "", 0, nil},
		"bytes after the value": {string(ok) + "more", "value", 1234567890, nil},
		"only a status":         {"o\x0c\x00\x11\x06\x00status\x02\x00ok", "", 0, nil},
		"expiry too large":      {"o\x2b\x00\x11\x06\x00status\x02\x00ok\x07\x00expires\x14\x0018446744073709551615", "", 1 << 40, nil},
		"no reply":              {"", "", 0, errNoReply},
		"half a header":         {"o\x0c", "", 0, io.ErrUnexpectedEOF},
		"half the pairs":        {string(ok[:20]), "", 0, io.ErrUnexpectedEOF},
		"half a value":          {string(ok[:len(ok)-2]), "", 0, io.ErrUnexpectedEOF},
		"no value":              {string(ok[:len(ok)-5]), "", 0, io.ErrUnexpectedEOF},
		"another protocol":      {"HTTP/1.1 400 Bad Request\r\n\r\n", "", 0, errMalformed},
		"another command":       {"o\x0c\x00\x10\x06\x00status\x02\x00ok", "", 0, errMalformed},
		"another status":        {"o\x0f\x00\x11\x06\x00status\x05\x00error", "", 0, errMalformed},
		"no status":             {"o\x00\x00\x11", "", 0, errMalformed},
		"long pairs":            {"o\xff\xff\x11" + strings.Repeat("x", 1<<16), "", 0, errMalformed},
		"a name too long":       {"o\x0c\x00\x11\xff\xffstatus\x02\x00ok", "", 0, errMalformed},
		"a text too long":       {"o\x0c\x00\x11\x06\x00status\x03\x00ok", "", 0, errMalformed},
		"half a length":         {"o\x0d\x00\x11\x06\x00status\x02\x00ok\x00", "", 0, errMalformed},
		"size not a number":     {"o\x15\x00\x11\x06\x00status\x02\x00ok\x04\x00size\x01\x00x", "", 0, errMalformed},
		"size too large":        {"o\x1c\x00\x11\x06\x00status\x02\x00ok\x04\x00size\x08\x0067108865", "", 0, errMalformed},
		"size is negative":      {"o\x16\x00\x11\x06\x00status\x02\x00ok\x04\x00size\x02\x00-1", "", 0, errMalformed},
		"expires not a number":  {"o\x18\x00\x11\x06\x00status\x02\x00ok\x07\x00expires\x01\x00x", "", 0, errMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			for way, r := range map[string]io.Reader{"at once": strings.NewReader(c.data), "byte by byte": iotest.OneByteReader(strings.NewReader(c.data))} {
				e, err := readReply(r, make([]byte, bufferSize), minReply, nil)
				if !errors.Is(err, c.err) || err == nil && (string(e.value) != c.value || e.expires != c.expires || !e.found || e.value == nil) {
					t.Errorf("%s: %q, expires %d, found %v, %v; want %q, %d, %v", way, e.value, e.expires, e.found, err, c.value, c.expires, c.err)
				}
			}
		})
	}
}

// The claimed length of a value does not determine how much memory is allocated.
func TestLargeClaimedSize(t *testing.T) {
	const data = "o\x1c\x00\x11\x06\x00status\x02\x00ok\x04\x00size\x08\x0067108864begin"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readReply(strings.NewReader(data), make([]byte, bufferSize), minReply, nil)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 2*maxPrealloc {
		t.Errorf("allocated %d bytes for a reply of %d bytes", took, len(data))
	}
}

func TestLargeValue(t *testing.T) {
	value := bytes.Repeat([]byte("0123456789abcde\n"), 3*maxPrealloc/16+1)
	e, err := readReply(bytes.NewReader(replyBytes(entry{true, value, 0})), make([]byte, bufferSize), minReply, nil)
	if err != nil || !bytes.Equal(e.value, value) {
		t.Errorf("%d bytes, %v; want %d", len(e.value), err, len(value))
	}
}

func TestEscape(t *testing.T) {
	for _, c := range [][2]string{
		{"", "\x00"}, {"\x00", "\x00\x00"}, {"\x00\x00", "\x00\x00\x00"},
		{"a", "a"}, {"\x00a", "\x00a"}, {"a\x00", "a\x00"},
	} {
		if got := string(escape([]byte(c[0]))); got != c[1] {
			t.Errorf("escape(%q) = %q, want %q", c[0], got, c[1])
		}
		if got := unescape([]byte(c[1])); got == nil || string(got) != c[0] {
			t.Errorf("unescape(%q) = %q, want %q", c[1], got, c[0])
		}
	}
	if got := escape(nil); string(got) != "\x00" {
		t.Errorf("escape(nil) = %q", got)
	}
}

func TestSeconds(t *testing.T) {
	for ttl, want := range map[time.Duration]int64{
		0: 0, 1: 2, time.Millisecond: 2, time.Second: 2, time.Second + 1: 3, 90 * time.Second: 91,
		math.MaxInt64: 9223372038,
	} {
		if got := seconds(ttl); got != want {
			t.Errorf("seconds(%v) = %d, want %d", ttl, got, want)
		}
	}
}

// No reply causes a panic or an endless read. A valid entry survives a round trip.
func FuzzReadReply(f *testing.F) {
	for _, e := range []entry{{true, []byte("value"), 1234567890}, {true, []byte{0}, 0}, {true, []byte("\x00x"), 1}, {true, bytes.Repeat([]byte("v"), 9000), 0}} {
		f.Add(replyBytes(e))
	}
	f.Add([]byte("o\x0c\x00\x11\x06\x00status\x02\x00ok"))
	f.Add([]byte("o\xff\xff\x11"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"))
	f.Add([]byte("o\x27\x00\x11\x06\x00status\x02\x00ok\x04\x00size\x13\x009223372036854775807"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := readReply(bytes.NewReader(data), make([]byte, bufferSize), minReply, nil)
		if err != nil {
			if e.found || e.value != nil {
				t.Errorf("an entry with an error: %+v, %v", e, err)
			}
			return
		}
		if len(e.value) > len(data) || e.expires < 0 {
			t.Errorf("%+v of %q", e, data)
		}
		again, err := readReply(bytes.NewReader(replyBytes(entry{true, escape(e.value), e.expires})), make([]byte, bufferSize), minReply, nil)
		if err != nil || !slices.Equal(again.value, e.value) || again.expires != e.expires {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}
