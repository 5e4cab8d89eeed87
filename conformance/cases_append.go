package conformance

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

var appendCases = []Case{
	{ID: "APP-1", Name: "value_after_dst",
		Rule: "GetAppend returns dst followed by the value; it changes no byte of dst, and none beyond its capacity",
		Why:  "A caller that collects several values in one buffer would lose those that it has read before.",
		run:  appendsToEveryBuffer},
	{ID: "APP-2", Name: "dst_is_the_callers",
		Rule:  "the caller may change the slice that GetAppend returned, and later calls do not change it",
		Why:   "A backend that keeps the buffer stores what its caller writes into it for the next request.",
		flags: needsOwnStore,
		run:   bufferIsTheCallers},
	{ID: "APP-3", Name: "dst_without_a_hit",
		Rule:  "GetAppend returns dst and false for a key that is absent, deleted or expired, and with every error",
		Why:   "A caller that continues with the slice which the call returned would lose what it has read before.",
		flags: needsTime | needsOwnStore,
		run:   dstWithoutHit},
}

// buffer is a destination for GetAppend in the middle of a larger array.
type buffer struct {
	array []byte
	dst   []byte
}

// newBuffer returns a buffer of a length and a capacity.
func newBuffer(length, capacity int) buffer {
	array := bytes.Repeat([]byte("#"), capacity+16)
	return buffer{array, array[:length:capacity]}
}

// isKept records a failure if something outside the free capacity has changed.
func (b buffer) isKept(t *attempt, what string) {
	for i, c := range b.array {
		if c != '#' && (i < len(b.dst) || i >= cap(b.dst)) {
			t.wrong(fmt.Sprintf("%s with len(dst)=%d, cap(dst)=%d: the byte %d of the array of dst", what, len(b.dst), cap(b.dst), i), c, text("unchanged"))
			return
		}
	}
}

func appendsToEveryBuffer(t *attempt) {
	long := 10_000
	if limit := t.harness.Limits.maxValue(); limit != 0 {
		long = min(long, limit)
	}
	values := map[string]string{"empty": "", "byte": "\x00", "text": "a\r\nvalue", "long": string(randomBytes(1, long))}
	for key, value := range values {
		t.set(key, value, time.Hour)
		what := "GetAppend(" + show(key) + ")"
		for _, length := range []int{0, 1, 4096} {
			for _, room := range []int{0, 1, len(value) - 1, len(value), len(value) + 1, 2 * len(value)} {
				b := newBuffer(length, length+max(room, 0))
				extended, ok, err := t.handle.GetAppend(t.ctx, key, b.dst)
				t.must(what, err)
				equal(t, what+", ok", ok, true)
				if want := string(b.dst) + value; string(extended) != want {
					t.wrong(fmt.Sprintf("%s with len(dst)=%d, cap(dst)=%d", what, length, cap(b.dst)), extended, want)
				}
				b.isKept(t, what)
			}
		}
		extended, ok, err := t.handle.GetAppend(t.ctx, key, nil)
		t.must(what, err)
		if !ok || string(extended) != value {
			t.wrong(fmt.Sprintf("%s with dst nil, ok=%v", what, ok), extended, value)
		}
		t.hit("after GetAppend", key, value)
	}
}

// bufferIsTheCallers changes each slice that GetAppend has returned, and then the store.
func bufferIsTheCallers(t *attempt) {
	t.set("k", "value", time.Hour)
	t.set("other", "OTHER", time.Hour)
	for _, b := range []buffer{newBuffer(0, 0), newBuffer(0, 5), newBuffer(0, 64), newBuffer(3, 8), newBuffer(3, 64)} {
		when := fmt.Sprintf("after GetAppend with len(dst)=%d, cap(dst)=%d", len(b.dst), cap(b.dst))
		extended, _, err := t.handle.GetAppend(t.ctx, "k", b.dst)
		t.must("GetAppend", err)
		read := string(extended)
		for _, value := range []string{"other", "short", "a-longer-value"} {
			t.set("k", value, time.Hour)
			t.get("other")
		}
		t.set("k", "value", time.Hour)
		equal(t, "the slice of GetAppend "+when+" and Set", string(extended), read)
		for i := range extended[:cap(extended)] {
			extended[:cap(extended)][i] = '!'
		}
		t.hit(when+", the slice being changed", "k", "value")
		again, _, err := t.handle.GetAppend(t.ctx, "other", extended[:0])
		t.must("GetAppend", err)
		equal(t, "GetAppend of another key into the same buffer", string(again), "OTHER")
		t.hit(when+" and another into the same buffer", "k", "value")
	}
	one, _, err := t.handle.GetAppend(t.ctx, "k", nil)
	t.must("GetAppend", err)
	other, _, err := t.handle.GetAppend(t.ctx, "other", nil)
	t.must("GetAppend", err)
	equal(t, "two slices of GetAppend with dst nil", string(one)+" "+string(other), "value OTHER")
	t.concurrently(4, func(worker int) {
		key := fmt.Sprintf("k%d", worker)
		value := bytes.Repeat([]byte{byte('a' + worker)}, 1000)
		t.must("Set", t.handle.Set(t.ctx, key, value, time.Hour))
		var dst []byte
		for range t.fewer(100) {
			var err error
			dst, _, err = t.handle.GetAppend(t.ctx, key, dst[:0])
			t.must("GetAppend", err)
			if !bytes.Equal(dst, value) {
				t.stop("GetAppend while other callers append to other buffers", dst, value)
			}
			clear(dst)
		}
	})
}

func dstWithoutHit(t *attempt) {
	t.set("deleted", "7", time.Hour)
	t.delete("deleted")
	t.setExpired("expired")
	for _, key := range []string{"absent", "deleted", "expired"} {
		t.must("GetAppend("+show(key)+")", t.returnsDst(key))
	}
	for _, key := range t.invalidKeys() {
		t.errorIs("GetAppend of the key "+show(key), t.returnsDst(key), driver.ErrInvalidKey)
	}
	t.must("Close", t.close())
	t.isError("GetAppend after Close", t.returnsDst("k"))
}

// returnsDst records a failure if GetAppend of key, which is not to be read, does not
// return its dst. It returns the error.
func (t *attempt) returnsDst(key string) (err error) {
	what := "GetAppend(" + show(key) + ")"
	for _, b := range []buffer{{}, newBuffer(4, 4), newBuffer(4, 64)} {
		var extended []byte
		var ok bool
		extended, ok, err = t.handle.GetAppend(t.ctx, key, b.dst)
		if ok || !bytes.Equal(extended, b.dst) || len(b.dst) > 0 && &extended[0] != &b.dst[0] {
			t.wrong(fmt.Sprintf("%s with the dst %s, ok=%v", what, show(b.dst), ok), extended, text("dst and false"))
		}
		b.isKept(t, what)
	}
	return err
}
