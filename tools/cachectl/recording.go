package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// recording is what a command did: its output in order, and its exit status.
type recording struct {
	run    string // names the run, as its lease did
	status int
	took   time.Duration
	frames []frame
}

// frame is a stretch of output on one stream.
type frame struct {
	stream int
	data   []byte
}

const (
	streamOut = 1
	streamErr = 2
)

// replay writes the output again, in the order it came.
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

// encode returns magic, run, status, took, and the frames until the end; numbers
// are varints, and a length stands before whatever has one.
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

// decodeRecording is the reverse of encode. The frames share memory with data.
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
			d.broken = true
			break
		}
		r.frames = append(r.frames, f)
	}
	if d.broken || r.status < 0 || r.status > 255 {
		return nil, fmt.Errorf("a damaged recording: %w", cache.ErrCorrupt)
	}
	return r, nil
}

// decoder takes values off the front of rest. Once broken it takes nothing more.
type decoder struct {
	rest   []byte
	broken bool
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.rest, d.broken = nil, true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) bytes() []byte {
	size := d.number()
	if size > uint64(len(d.rest)) {
		d.rest, d.broken = nil, true
		return nil
	}
	taken := d.rest[:size:size]
	d.rest = d.rest[size:]
	return taken
}
