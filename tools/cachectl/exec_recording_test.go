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
		// A recording without its last frame is valid; only the store detects that cut.
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
	r := &recorder{max: 100}
	out, errs := recordingWriter{r, streamOut, &stdout}, recordingWriter{r, streamErr, &stderr}
	for _, write := range []struct {
		to   recordingWriter
		text string
	}{{out, "1"}, {out, "2"}, {errs, "3"}, {out, "4"}} {
		write.to.Write([]byte(write.text))
	}
	if len(r.frames) != 3 || string(r.frames[0].data) != "12" || string(r.frames[2].data) != "4" {
		t.Errorf("frames %v", r.frames)
	}
	if stdout.String() != "124" || stderr.String() != "3" {
		t.Errorf("passed on %q and %q", stdout.String(), stderr.String())
	}
}

func TestRecorderDiscardsLargeOutput(t *testing.T) {
	var live bytes.Buffer
	r := &recorder{max: 3}
	for range 4 {
		recordingWriter{r, streamOut, &live}.Write([]byte("x"))
	}
	if !r.tooLarge() || r.frames != nil || live.String() != "xxxx" {
		t.Errorf("too large is %v, keeps %v, passed on %q", r.tooLarge(), r.frames, live.String())
	}
}
