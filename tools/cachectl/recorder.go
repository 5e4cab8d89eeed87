package main

import (
	"io"
	"sync"
)

// recorder takes the output of a running command: it passes it on at once and
// keeps it, as long as it is not too much.
type recorder struct {
	limit int

	mu     sync.Mutex
	frames []frame
	size   int
	failed error // of passing it on
}

// tooMuch reports whether the recording is not whole.
func (r *recorder) tooMuch() bool { return r.size > r.limit }

// tap is the recorder as one of the two streams.
type tap struct {
	recorder *recorder
	stream   int
	live     io.Writer
}

// Write always succeeds: that nobody takes its output any more is not to change
// what the command does, and with it what others will get from the cache.
func (t tap) Write(p []byte) (int, error) {
	t.recorder.keep(t.stream, p)
	// Not under the lock: a reader may drain one stream before the other.
	if _, err := t.live.Write(p); err != nil {
		t.recorder.fail(err)
	}
	return len(p), nil
}

func (r *recorder) keep(stream int, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size += len(p)
	if r.tooMuch() {
		r.frames = nil
		return
	}
	if last := len(r.frames) - 1; last >= 0 && r.frames[last].stream == stream {
		r.frames[last].data = append(r.frames[last].data, p...)
		return
	}
	r.frames = append(r.frames, frame{stream, append([]byte(nil), p...)})
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}
