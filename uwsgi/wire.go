package uwsgi

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
)

// A packet is a header of four bytes (modifier 1, the 16-bit little-endian length of
// the pairs, modifier 2), pairs of strings, and the value if there is one. Each string
// of a pair is preceded by its 16-bit length. Requests and replies have the same form.
const (
	modifier1  = 111 // the cache plugin
	modifier2  = 17  // its protocol with named commands
	headerSize = 4
	lengthSize = 2
)

// request is one command to the server.
type request struct {
	command string // get, set (an Add), update (a Set), del, clear
	key     string
	value   []byte // nil or not empty, see escape
	seconds int64  // TTL; 0 never expires

	memory []byte // for the value of the reply, used if its capacity is large enough
}

// send writes r. A value that does not fit into buffer is written from the memory of the
// caller.
func (r request) send(conn net.Conn, buffer []byte, cacheName string) error {
	data := r.appendTo(buffer, cacheName)
	if len(r.value) <= cap(data)-len(data) {
		_, err := conn.Write(append(data, r.value...))
		return err
	}
	_, err := (&net.Buffers{data, r.value}).WriteTo(conn)
	return err
}

// appendTo appends r as a packet without its value. The caller has checked that the pairs
// are shorter than 65,536 bytes.
func (r request) appendTo(data []byte, cacheName string) []byte {
	start := len(data)
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
	binary.LittleEndian.PutUint16(data[start+1:], uint16(len(data)-start-headerSize))
	return data
}

func appendPair(data []byte, name, text string) []byte {
	data = binary.LittleEndian.AppendUint16(data, uint16(len(name)))
	data = append(data, name...)
	data = binary.LittleEndian.AppendUint16(data, uint16(len(text)))
	return append(data, text...)
}

// overhead is the maximum length of the pairs of a request, without its key.
func overhead(cacheName string) int {
	const maxSize = math.MaxInt64 // of a value; it has as many digits as the longest TTL
	r := request{command: "update", key: "k", value: []byte{0}, seconds: math.MaxInt64}
	return len(r.appendTo(nil, cacheName)) - headerSize - len(r.key) + len(strconv.FormatInt(maxSize, 10))
}

const (
	// maxPrealloc bounds the memory that is allocated for a claimed length; more is
	// allocated as bytes arrive.
	maxPrealloc = 1 << 20

	// minReply is the largest value that is read whatever MaxValue is: workers may
	// store longer values than this program.
	minReply = 64 << 20
)

// readReply reads the reply to a request, with a value of at most maxValue bytes. It
// uses buffer, and the value is not part of it. The value is in memory if the capacity is
// large enough.
func readReply(conn io.Reader, buffer []byte, maxValue uint64, memory []byte) (entry, error) {
	n, err := io.ReadAtLeast(conn, buffer, headerSize)
	if err == io.EOF {
		return entry{}, errNoReply
	}
	if err != nil {
		return entry{}, err
	}
	end := headerSize + int(binary.LittleEndian.Uint16(buffer[1:]))
	if buffer[0] != modifier1 || buffer[3] != modifier2 || end > len(buffer) {
		return entry{}, errNotUwsgi
	}
	if n < end {
		m, err := io.ReadAtLeast(conn, buffer[n:], end-n)
		if err != nil {
			return entry{}, shortRead(err)
		}
		n += m
	}
	e, size, err := parsePairs(buffer[headerSize:end])
	if err != nil {
		return entry{}, err
	}
	if size > maxValue {
		return entry{}, fmt.Errorf("%w: value of %d bytes", errMalformed, size)
	}
	if e.value, err = readValue(conn, buffer[end:n], size, memory); err != nil {
		return entry{}, err
	}
	return e, nil
}

// readValue reads a value of size bytes that begins with read.
func readValue(conn io.Reader, read []byte, size uint64, memory []byte) ([]byte, error) {
	value := memory[:min(size, uint64(cap(memory)))]
	if uint64(len(value)) < size || memory == nil {
		value = make([]byte, min(size, maxPrealloc))
	}
	have := copy(value, read)
	for {
		if _, err := io.ReadFull(conn, value[have:]); err != nil {
			return nil, shortRead(err)
		}
		have = len(value)
		if uint64(have) == size {
			return unescape(value), nil
		}
		value = append(value, make([]byte, min(size-uint64(have), uint64(have)))...)
	}
}

// shortRead returns the error of a read in the middle of a reply.
func shortRead(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parsePairs parses the pairs of a reply: the status and, for an entry, its expiry
// time and the size of its value.
func parsePairs(pairs []byte) (e entry, size uint64, err error) {
	var status string
	for len(pairs) > 0 {
		var name, text []byte
		if name, pairs, err = cutString(pairs); err != nil {
			return entry{}, 0, err
		}
		if text, pairs, err = cutString(pairs); err != nil {
			return entry{}, 0, err
		}
		switch string(name) {
		case "status":
			status = string(text)
		case "size":
			size, err = strconv.ParseUint(string(text), 10, 64)
		case "expires":
			e.expires, err = parseExpires(string(text))
		}
		if err != nil {
			return entry{}, 0, fmt.Errorf("%w: %s is not a number", errMalformed, name)
		}
	}
	if status != "ok" {
		return entry{}, 0, errMalformed
	}
	e.found = true
	return e, size, nil
}

// parseExpires parses a unix second. A worker may have stored one that time.Time
// cannot represent.
func parseExpires(text string) (int64, error) {
	const latest = 1 << 40 // the year 36812
	expires, err := strconv.ParseUint(text, 10, 64)
	return int64(min(expires, latest)), err
}

func cutString(pairs []byte) (text, rest []byte, err error) {
	if len(pairs) < lengthSize {
		return nil, nil, errMalformed
	}
	end := lengthSize + int(binary.LittleEndian.Uint16(pairs))
	if end > len(pairs) {
		return nil, nil, errMalformed
	}
	return pairs[lengthSize:end], pairs[end:], nil
}
