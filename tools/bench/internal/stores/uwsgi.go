package stores

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/cachebackends/cachebackends/uwsgi"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Uwsgi are the clients of a uWSGI server.
var Uwsgi = Kind{missing: uwsgiServer.missing, start: uwsgiServer.start, peers: []peer{
	{"uwsgi", "nothing", true, func(addr string) (store, error) {
		return through(uwsgi.New(ctx, uwsgi.Options{Addr: addr}))
	}},
	{"raw-uwsgi", "all but the bytes of one connection per request; a batch is a loop", false, openRawUwsgi},
}}

// openRawUwsgi keeps a buffer for each caller.
func openRawUwsgi(addr string) (store, error) {
	buffers := sync.Pool{New: func() any { return new([4096]byte) }}
	ask := func(value []byte, texts ...string) ([]byte, error) {
		buffer := buffers.Get().(*[4096]byte)
		defer buffers.Put(buffer)
		answer, err := askUwsgi(addr, buffer[:], value, texts...)
		return append([]byte(nil), answer...), err
	}
	return singles(
		func(key string) ([]byte, error) { return ask(nil, "cmd", "get", "key", key) },
		func(key string, value []byte) error {
			_, err := ask(value, "cmd", "update", "key", key, "size", strconv.Itoa(len(value)), "expires", strconv.Itoa(int(workload.Life.Seconds())))
			return err
		},
		func(key string) error {
			_, err := ask(nil, "cmd", "del", "key", key)
			return err
		},
		func() {},
	), nil
}

// askUwsgi sends pairs of names and texts and a value, and returns the value of the
// answer, which is what follows its head.
func askUwsgi(addr string, buffer, value []byte, texts ...string) ([]byte, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	data := append(buffer[:0], 111, 0, 0, 17)
	for _, text := range texts {
		data = binary.LittleEndian.AppendUint16(data, uint16(len(text)))
		data = append(data, text...)
	}
	binary.LittleEndian.PutUint16(data[1:], uint16(len(data)-4))
	if _, err := conn.Write(append(data, value...)); err != nil {
		return nil, err
	}
	n, err := io.ReadAtLeast(conn, buffer, 4)
	if err == io.EOF {
		return nil, os.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	head := 4 + int(binary.LittleEndian.Uint16(buffer[1:]))
	return buffer[min(head, n):n], nil
}
