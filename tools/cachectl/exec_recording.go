package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// recording is the result of a run: its output in order and its exit status.
type recording struct {
	run    string // identifies the run
	status int
	took   time.Duration
	frames []frame
}

// frame is consecutive output on one stream.
type frame struct {
	stream int
	data   []byte
}

const (
	streamOut = 1
	streamErr = 2
)

// replay writes the output in its original order.
func (r *recording) replay(stdout, stderr io.Writer) error {
	for _, f := range r.frames {
		w := stdout
		if f.stream == streamErr {
			w = stderr
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	return nil
}

// recordingMagic ends with the version of the format.
const recordingMagic = "cachectl-exec\x01"

// encode returns the magic, run, status, took and the frames. Numbers are varints;
// run and the data of frames are preceded by their length.
func (r *recording) encode() []byte {
	data := []byte(recordingMagic)
	data = binary.AppendUvarint(data, uint64(len(r.run)))
	data = append(data, r.run...)
	data = binary.AppendUvarint(data, uint64(r.status))
	data = binary.AppendUvarint(data, uint64(r.took))
	for _, f := range r.frames {
		data = binary.AppendUvarint(data, uint64(f.stream))
		data = binary.AppendUvarint(data, uint64(len(f.data)))
		data = append(data, f.data...)
	}
	return data
}

// decodeRecording decodes the result of encode. The frames share memory with data.
func decodeRecording(data []byte) (*recording, error) {
	rest, ok := bytes.CutPrefix(data, []byte(recordingMagic))
	if !ok {
		return nil, fmt.Errorf("not a recording of this version: %w", cache.ErrCorrupt)
	}
	d := decoder{rest: rest}
	r := &recording{run: string(d.bytes()), status: int(d.number()), took: time.Duration(d.number())}
	for len(d.rest) > 0 {
		f := frame{stream: int(d.number()), data: d.bytes()}
		if f.stream != streamOut && f.stream != streamErr {
			d.failed = true
			break
		}
		r.frames = append(r.frames, f)
	}
	if d.failed || r.status < 0 || r.status > 255 {
		return nil, fmt.Errorf("malformed recording: %w", cache.ErrCorrupt)
	}
	return r, nil
}

// decoder reads values from the front of rest. After a failure it returns zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.rest, d.failed = nil, true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) bytes() []byte {
	size := d.number()
	if size > uint64(len(d.rest)) {
		d.rest, d.failed = nil, true
		return nil
	}
	b := d.rest[:size:size]
	d.rest = d.rest[size:]
	return b
}

// recorder keeps the output of a running command up to max bytes.
type recorder struct {
	max int

	mu     sync.Mutex
	frames []frame
	size   int
	err    error // of passing the output on
}

// tooLarge reports whether output was discarded.
func (r *recorder) tooLarge() bool { return r.size > r.max }

// recordingWriter is one of the two streams of a recorder. It passes the output on
// to live.
type recordingWriter struct {
	recorder *recorder
	stream   int
	live     io.Writer
}

// Write always succeeds: a caller that stops reading must not change what the
// command does, because other callers get its output from the cache.
func (w recordingWriter) Write(p []byte) (int, error) {
	w.recorder.append(w.stream, p)
	// Not under the lock: a reader may drain one stream before the other.
	if _, err := w.live.Write(p); err != nil {
		w.recorder.fail(err)
	}
	return len(p), nil
}

func (r *recorder) append(stream int, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size += len(p)
	if r.tooLarge() {
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
	if r.err == nil {
		r.err = err
	}
}
