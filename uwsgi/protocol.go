package uwsgi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The protocol: a header of four bytes, modifier 1, the length of what follows
// (16 bits, little endian), modifier 2; then pairs of texts, each with its length
// before it (16 bits); then the value, in a request and an answer that has one.
const (
	modifier1  = 111 // the cache plugin
	modifier2  = 17  // its commands with names
	headerSize = 4
	lengthSize = 2
)

// request is one command to the server.
type request struct {
	command string // get, set (which is add), update (which is set), del, clear
	key     string
	value   []byte // never empty where there is one: see escape
	seconds int64  // of life; 0 never ends
}

// appendTo appends the bytes that go to the server. The caller has checked that the
// pairs are shorter than 65,536 bytes.
func (r request) appendTo(data []byte, cacheName string) []byte {
	begin := len(data)
	data = append(data, modifier1, 0, 0, modifier2)
	data = appendPair(data, "cmd", r.command)
	if r.key != "" {
		data = appendPair(data, "key", r.key)
	}
	if cacheName != "" {
		data = appendPair(data, "cache", cacheName)
	}
	if r.value != nil {
		data = appendPair(data, "size", strconv.Itoa(len(r.value)))
	}
	if r.seconds != 0 {
		data = appendPair(data, "expires", strconv.FormatInt(r.seconds, 10))
	}
	binary.LittleEndian.PutUint16(data[begin+1:], uint16(len(data)-begin-headerSize))
	return append(data, r.value...)
}

func appendPair(data []byte, name, text string) []byte {
	data = binary.LittleEndian.AppendUint16(data, uint16(len(name)))
	data = append(data, name...)
	data = binary.LittleEndian.AppendUint16(data, uint16(len(text)))
	return append(data, text...)
}

// overhead is the most that the pairs of a request are longer than its key.
func overhead(cacheName string) int {
	const largest = 1<<63 - 1
	r := request{command: "update", key: "k", value: []byte{0}, seconds: largest}
	return len(r.appendTo(nil, cacheName)) - headerSize - len(r.key) - len(r.value) + len(strconv.Itoa(largest))
}

// errRefused is an end without a byte, the server's way to say no.
var errRefused = errors.New("the server closed the connection without an answer")

// errProtocol is an answer that no cache of uWSGI gives.
var errProtocol = errors.New("not the answer of a uWSGI cache")

// firstAlloc is how much memory the length that an answer claims is trusted with;
// more comes as the bytes do.
const firstAlloc = 1 << 20

// readAnswer reads the answer to a request. buffer is for its use; the value is not
// in it.
func readAnswer(conn io.Reader, buffer []byte) (entry, error) {
	n, err := io.ReadAtLeast(conn, buffer, headerSize)
	if err == io.EOF {
		return entry{}, errRefused
	}
	if err != nil {
		return entry{}, err
	}
	end := headerSize + int(binary.LittleEndian.Uint16(buffer[1:]))
	if buffer[0] != modifier1 || buffer[3] != modifier2 || end > len(buffer) {
		return entry{}, errProtocol
	}
	if n < end {
		m, err := io.ReadAtLeast(conn, buffer[n:], end-n)
		if err != nil {
			return entry{}, cutShort(err)
		}
		n += m
	}
	e, size, err := parsePairs(buffer[headerSize:end])
	if err != nil {
		return entry{}, err
	}
	if e.value, err = readValue(conn, buffer[end:n], size); err != nil {
		return entry{}, err
	}
	return e, nil
}

// readValue reads a value of size bytes, of which the first have come already.
func readValue(conn io.Reader, come []byte, size uint64) ([]byte, error) {
	value := make([]byte, min(size, firstAlloc))
	have := copy(value, come)
	for {
		if _, err := io.ReadFull(conn, value[have:]); err != nil {
			return nil, cutShort(err)
		}
		have = len(value)
		if uint64(have) == size {
			return unescape(value), nil
		}
		value = append(value, make([]byte, min(size-uint64(have), uint64(have)))...)
	}
}

// cutShort is err of a read that could not get what had been announced.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parsePairs reads the pairs of an answer: how it ended, and of an entry the size
// of its value and its end of life.
func parsePairs(pairs []byte) (e entry, size uint64, err error) {
	var status string
	for len(pairs) > 0 {
		var name, text []byte
		if name, pairs, err = cutText(pairs); err != nil {
			return entry{}, 0, err
		}
		if text, pairs, err = cutText(pairs); err != nil {
			return entry{}, 0, err
		}
		switch string(name) {
		case "status":
			status = string(text)
		case "size":
			size, err = strconv.ParseUint(string(text), 10, 63)
		case "expires":
			e.end, err = parseEnd(string(text))
		}
		if err != nil {
			return entry{}, 0, fmt.Errorf("%w: %s is no number", errProtocol, name)
		}
	}
	if status != "ok" {
		return entry{}, 0, errProtocol
	}
	e.found = true
	return e, size, nil
}

// parseEnd reads a unix second. A worker may have stored one that no time.Time
// holds.
func parseEnd(text string) (int64, error) {
	const latest = 1 << 40 // in 35,000 years
	end, err := strconv.ParseUint(text, 10, 64)
	return int64(min(end, latest)), err
}

func cutText(pairs []byte) (text, rest []byte, err error) {
	if len(pairs) < lengthSize {
		return nil, nil, errProtocol
	}
	end := lengthSize + int(binary.LittleEndian.Uint16(pairs))
	if end > len(pairs) {
		return nil, nil, errProtocol
	}
	return pairs[lengthSize:end], pairs[end:], nil
}
