package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestRecordingRoundTrip(t *testing.T) {
	want := recording{run: "token", status: 255, took: time.Hour, frames: []frame{
		{streamOut, []byte("a\x00")}, {streamErr, []byte("b")}, {streamOut, []byte("c")},
	}}
	got, err := decodeRecording(want.encode())
	if err != nil {
		t.Fatal(err)
	}
	var both bytes.Buffer
	if err := got.replay(&both, &both); err != nil || both.String() != "a\x00bc" {
		t.Errorf("replayed %q, %v", both.String(), err)
	}
	if got.run != want.run || got.status != want.status || got.took != want.took {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRecordingDamage(t *testing.T) {
	r := recording{run: "token", status: 1, frames: []frame{{streamOut, []byte("output")}}}
	whole := r.encode()
	for cut := range whole {
		// The end of a frame is the end of a whole recording; a store tells the two apart.
		if _, err := decodeRecording(whole[:cut]); !errors.Is(err, cache.ErrCorrupt) && cut != len(whole)-len("output")-2 {
			t.Errorf("cut to %d of %d bytes: %v", cut, len(whole), err)
		}
	}
}

func FuzzDecodeRecording(f *testing.F) {
	r := recording{run: "token", status: 1, frames: []frame{{streamOut, []byte("out")}, {streamErr, []byte("err")}}}
	f.Add(r.encode())
	f.Add([]byte(recordingMagic))
	f.Add([]byte(recordingMagic + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecording(data)
		if err != nil {
			return
		}
		again, err := decodeRecording(r.encode())
		if err != nil || !bytes.Equal(again.encode(), r.encode()) {
			t.Errorf("%q is not read back: %v", data, err)
		}
	})
}

func TestRecorderKeepsOrder(t *testing.T) {
	var stdout, stderr bytes.Buffer
	r := &recorder{limit: 100}
	out, errs := tap{r, streamOut, &stdout}, tap{r, streamErr, &stderr}
	for _, write := range []struct {
		tap  tap
		text string
	}{{out, "1"}, {out, "2"}, {errs, "3"}, {out, "4"}} {
		write.tap.Write([]byte(write.text))
	}
	if len(r.frames) != 3 || string(r.frames[0].data) != "12" || string(r.frames[2].data) != "4" {
		t.Errorf("frames %v", r.frames)
	}
	if stdout.String() != "124" || stderr.String() != "3" {
		t.Errorf("passed on %q and %q", stdout.String(), stderr.String())
	}
}

func TestRecorderLetsGoOfTooMuch(t *testing.T) {
	var live bytes.Buffer
	r := &recorder{limit: 3}
	for range 4 {
		tap{r, streamOut, &live}.Write([]byte("x"))
	}
	if !r.tooMuch() || r.frames != nil || live.String() != "xxxx" {
		t.Errorf("too much is %v, keeps %v, passed on %q", r.tooMuch(), r.frames, live.String())
	}
}

func FuzzLines(f *testing.F) {
	f.Add("key", "value")
	f.Add("", "")
	f.Add("a=b", "c\nd")
	f.Add("#", `"quoted"`)
	f.Add("\"\xff", "\r")
	f.Add(`"a"`, "tab\t")
	f.Fuzz(func(t *testing.T, key, value string) {
		line := appendLine(nil, key, []byte(value))
		items, err := parseLines(line)
		if got, ok := items[key]; err != nil || !ok || len(items) != 1 || string(got) != value {
			t.Errorf("%q: got %q, %v", line, items, err)
		}
	})
}

func TestHistogram(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 15, 16, 31, 32, 33, 1000, time.Second, time.Hour, 1<<63 - 1} {
		if low := lowest(bucket(d)); low > d || d-low > d/16 {
			t.Errorf("%d is counted as %d", d, low)
		}
	}
	var h, other histogram
	for i := range 100 {
		half := &h
		if i%2 == 0 {
			half = &other
		}
		half.add(time.Duration(i+1) * time.Millisecond)
	}
	h.merge(&other)
	for p, want := range map[float64]time.Duration{50: 50 * time.Millisecond, 99: 99 * time.Millisecond, 100: 100 * time.Millisecond} {
		if got := h.percentile(p); got > want || want-got > want/16 {
			t.Errorf("percentile %v is %v, want %v", p, got, want)
		}
	}
	if h.max != 100*time.Millisecond || h.total != 100 {
		t.Errorf("%d in all, at most %v", h.total, h.max)
	}
}
